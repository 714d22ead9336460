/** CNI errors: the codes of the specification (section 5, "Error") and Twill's own from 100. */

/** Every code that Twill answers with. */
export const CNI_CODE = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  /** The runtime need not clean up: there is nothing. */
  containerUnknown: 3,
  invalidEnvironment: 4,
  io: 5,
  decode: 6,
  invalidConfig: 7,
  /** Transient: the runtime should try the same again later. */
  tryAgainLater: 11,
  /** STATUS: ADD would fail. */
  notAvailable: 50,
  /** STATUS: ADD would fail, and attached containers may have limited connectivity. */
  limitedConnectivity: 51,
  /** The kernel or something else refused; the message says what. */
  internal: 100,
  poolExhausted: 101,
  /** The address or range asked for is taken, reserved or not this node's. */
  addressRefused: 102,
  interfaceExists: 103,
  /** CHECK found differences. */
  checkFailed: 104,
  /** The ledger is newer than this Twill, or damaged. */
  ledgerRefused: 105,
  /** DEL or GC did what it could, and something is left. */
  incomplete: 106,
  /** A port of the node that was asked for belongs to another pod. */
  portTaken: 107,
} as const;

/** One of {@link CNI_CODE}. */
export type CniCode = (typeof CNI_CODE)[keyof typeof CNI_CODE];

/** A refusal as the runtime gets it, without the version. */
export interface CniError {
  readonly code: CniCode;
  /** One sentence: action, subject, value, what would be right. */
  readonly msg: string;
  /** Longer text: all differences, all issues, the cause; may be empty. */
  readonly details: string;
}

/** Makes a refusal. Of a message of several lines, as a verifier's, the first is the message and all are the details. */
export function cniError(code: CniCode, msg: string, details = ""): CniError {
  const end = msg.indexOf("\n");
  if (end < 0) return { code, msg, details };
  return { code, msg: msg.slice(0, end), details: details === "" ? msg : details };
}

/** The error as it stands on standard output. */
export function formatError(cniVersion: string, error: CniError): string {
  const { code, msg, details } = error;
  return JSON.stringify({ cniVersion, code, msg, ...(details === "" ? {} : { details }) });
}
