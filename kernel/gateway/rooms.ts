// What a gateway is made of, apart from its database: read while that opens.
export { createPairingsService } from "../records/pairings.ts"
export { Encryption } from "../upkeep/encryption.ts"
export { createDoors } from "./doors.ts"
export { layGround } from "./ground.ts"
export { findInstalled } from "./installed.ts"
export { offerOwnServices } from "./own-services.ts"
export { createPluginHost } from "./plugin-host.ts"
