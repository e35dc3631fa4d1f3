export type { Answer, TestClient } from "./client.ts"
export { type RegistryPicture, type StartedGateway, type TestGateway, type TestGatewayOptions, testGateway } from "./gateway.ts"
export { type ProviderConformanceOptions, providerConformance, startProviderType } from "./provider-conformance.ts"
export { type EventFrame, openRpc, type ResponseFrame, type RpcClient } from "./rpc-client.ts"
