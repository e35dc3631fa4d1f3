export { ConfigError, type GatewayConfig, loadConfig } from "./config.ts"
export { type GatewayOptions, type RunningGateway, startGateway } from "./gateway.ts"
