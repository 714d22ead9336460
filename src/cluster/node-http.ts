/**
 * Node's HTTP, by another way than `import`: that looks at all that `node:http` exports, and for its WebSocket loads a second
 * client that nobody here uses. It is 3 MB of an agent.
 */

export const { Agent, createServer, get, request } = process.getBuiltinModule("node:http");
