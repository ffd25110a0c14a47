/**
 * The way from `folder` to `target` when it stays inside (`""` for the folder itself), else null. Both absolute, or both
 * relative to the same place, without `.` and `..`.
 */
export function relativeInside(folder: string, target: string): string | null {
  if (target === folder) return "";
  const prefix = folder === "" || folder.endsWith("/") ? folder : `${folder}/`;
  return target.startsWith(prefix) && target !== prefix ? target.slice(prefix.length) : null;
}
