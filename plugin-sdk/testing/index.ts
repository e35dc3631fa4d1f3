export type { Answer, TestClient } from "./client.ts"
export { type RegistryPicture, type StartedGateway, type TestGateway, type TestGatewayOptions, testGateway } from "./gateway.ts"
export {
  type HookCase,
  type HookConformanceOptions,
  type HookExpected,
  type HookGiven,
  hookConformance,
  type StartedHook,
  startHook,
} from "./hook-conformance.ts"
export { type ProviderConformanceOptions, providerConformance, startProviderType } from "./provider-conformance.ts"
export type { ProviderCase, ProviderFaults } from "./provider-faults.ts"
export { type EventFrame, openRpc, type ResponseFrame, type RpcClient } from "./rpc-client.ts"
export type { GivenPlugin, Place } from "./suite.ts"
export { type StartedTool, startTool, type ToolConformanceOptions, toolConformance } from "./tool-conformance.ts"
