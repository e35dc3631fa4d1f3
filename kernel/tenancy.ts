/** The tenant that always exists. Source: wire contract, http-core 1.2. */
export const masterTenantId = "0193a5b0-7000-7000-8000-000000000001"
export const masterTenantSlug = "master"
