/** Ends every `switch` over a union: forgetting a member is a compile error, reaching it at run time is a loud one. */
export function assertNever(value: never): never {
  throw new Error(`Unreachable case: ${JSON.stringify(value)}`);
}
