// Old syntax only: this must run on a Node that is too old, to say so.
export function requireNode() {
  const version = process.versions.node.split(".").map(Number);
  if (version[0] > 20 || (version[0] === 20 && version[1] >= 19)) return;
  console.error(`cardbatch needs Node 20.19 or later; this is ${process.versions.node} (${process.execPath})`);
  process.exit(3);
}
