/** Tables of the kernel that are looked at before a tenant is known. */
export const kernelGlobals = ["tenants", "members", "api_keys", "pairings", "plugins", "packages", "consents", "settings", "gone_tenants", "outbox", "migrations", "encryption"]
