import { readFileSync } from "node:fs";
import type { z } from "zod";
import { ConfigError } from "../domain/errors.js";
import { type Config, configSchema } from "./settings.js";

type Environment = Readonly<Record<string, string | undefined>>;
type Tree = { [key: string]: unknown };

interface SettingMeta {
  readonly env?: string;
  readonly secret?: boolean;
}

/** This process's environment; read here and nowhere else. */
export function environment(): Environment {
  return process.env;
}

/**
 * Resolves every setting from the environment and the config file.
 * @param file path of a JSON file in the shape of `configSchema`, or undefined
 * @throws ConfigError naming the setting, what was got and what it takes; a secret's value is never in it
 */
export function loadConfig(env: Environment, file: string | undefined): Config {
  const tree = file === undefined ? {} : readConfigFile(file);
  overlay(configSchema, tree, env);
  const parsed = configSchema.safeParse(tree);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.flatMap((issue) => describe(issue, tree, file)).join("\n"));
}

function readConfigFile(file: string): Tree {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new ConfigError(`--config ${file}: cannot be read`);
  }
  try {
    const tree: unknown = JSON.parse(text);
    if (isTree(tree)) return tree;
  } catch {
    // Reported below, without the text: it may hold secrets.
  }
  throw new ConfigError(`--config ${file}: not a JSON object`);
}

/** Writes what the environment says over what the file says. */
function overlay(schema: z.ZodObject, tree: Tree, env: Environment): void {
  for (const [key, part] of Object.entries<z.ZodType>(schema.shape)) {
    if (isObjectSchema(part)) {
      tree[key] ??= {};
      // What is no object is refused as it is.
      if (isTree(tree[key])) overlay(part, tree[key], env);
      continue;
    }
    const value = readVariable((part.meta() ?? {}) as SettingMeta, env);
    if (value !== undefined) tree[key] = value;
  }
}

function readVariable({ env: name, secret }: SettingMeta, env: Environment): string | undefined {
  if (name === undefined) return undefined;
  const file = secret ? nonEmpty(env[`${name}_FILE`]) : undefined;
  const value = nonEmpty(env[name]) ?? (name.endsWith("_PROXY") ? nonEmpty(env[name.toLowerCase()]) : undefined);
  if (file === undefined) return value;
  if (value !== undefined) throw new ConfigError(`${name} and ${name}_FILE are both set; keep one`);
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    throw new ConfigError(`${name}_FILE: ${file} cannot be read`);
  }
}

/** What is wrong, by the setting's name, with what was got; of secrets and of whatever is no simple value only the name. */
function describe(issue: z.core.$ZodIssue, tree: Tree, file: string | undefined): string[] {
  const part = partAt(issue.path);
  if (issue.code === "unrecognized_keys" && isObjectSchema(part)) {
    const names = Object.keys(part.shape).sort().join(", ");
    return issue.keys.map(
      (key) => `--config ${file}: unknown setting ${[...issue.path, key].join(".")}; there are ${names}`,
    );
  }
  const { env, secret } = (part?.meta() ?? {}) as SettingMeta;
  const value = issue.path.reduce<unknown>((branch, key) => (branch as Tree | undefined)?.[String(key)], tree);
  const isShown = env !== undefined && secret !== true && typeof value !== "object" && value !== undefined;
  return [`${env ?? issue.path.join(".")}${isShown ? `=${value}` : ""}: ${issue.message}`];
}

/** The part of the settings that a path leads to, or to an item of. */
function partAt(path: readonly PropertyKey[]): z.ZodType | undefined {
  let schema: z.ZodType | undefined = configSchema;
  for (const key of path) schema = isObjectSchema(schema) ? schema.shape[String(key)] : schema;
  return schema;
}

function isObjectSchema(schema: unknown): schema is z.ZodObject {
  return typeof schema === "object" && schema !== null && "shape" in schema;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : value;
}
