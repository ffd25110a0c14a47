/** The end of a command's help: how it is called. */
export function examples(...commands: readonly string[]): string {
  return ["", "Examples:", ...commands.map((command) => `  cardbatch ${command}`)].join("\n");
}
