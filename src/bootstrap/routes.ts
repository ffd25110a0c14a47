/** A way to a Redis server's program, in the order of `planRoutes`. */
export type Route = "path" | "apt-download" | "brew" | "system" | "docker";

/** What the choice of routes depends on. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
  /** The user allowed changing the system (`CARDBATCH_BOOTSTRAP=system`). */
  readonly allowSystemInstall: boolean;
  readonly has: (program: string) => boolean;
}

/** A route with what it needs at hand, or why it is left out. */
export interface PlannedRoute {
  readonly route: Route;
  /** Null when the route can be tried. */
  readonly leftOut: string | null;
}

const PACKAGE_MANAGERS = ["apt-get", "dnf", "apk"] as const;
export type PackageManager = (typeof PACKAGE_MANAGERS)[number];

/** The system's package manager; null on a machine with none that is known here. */
export function packageManager(machine: Machine): PackageManager | null {
  if (machine.platform !== "linux") return null;
  return PACKAGE_MANAGERS.find((manager) => machine.has(manager)) ?? null;
}

/** Every route in the order to try them: what changes nothing on the machine comes before what does. */
export function planRoutes(machine: Machine): readonly PlannedRoute[] {
  const rootlessApt = machine.platform === "linux" && machine.has("apt-get") && machine.has("dpkg");
  return [
    { route: "path", leftOut: null },
    { route: "apt-download", leftOut: rootlessApt ? null : "needs Linux with apt-get and dpkg" },
    { route: "brew", leftOut: whyNoBrew(machine) },
    { route: "system", leftOut: whyNoSystemInstall(machine) },
    { route: "docker", leftOut: machine.has("docker") ? null : "no docker on PATH" },
  ];
}

function whyNoBrew(machine: Machine): string | null {
  if (machine.platform !== "darwin") return "needs macOS";
  return machine.has("brew") ? null : "no brew on PATH";
}

function whyNoSystemInstall(machine: Machine): string | null {
  const manager = packageManager(machine);
  if (manager === null) return `needs Linux with one of ${PACKAGE_MANAGERS.join(", ")}`;
  if (!machine.isRoot && !machine.allowSystemInstall) {
    return `${manager} changes the system: only as root or with CARDBATCH_BOOTSTRAP=system`;
  }
  return machine.isRoot || machine.has("sudo") ? null : "neither root nor sudo";
}

/** The one line to type when no route led to a Redis. */
export function lineToType(machine: Machine): string {
  const manager = packageManager(machine);
  if (manager === "apt-get") return "sudo apt-get install -y redis-tools";
  if (manager !== null) return `sudo ${manager} ${manager === "apk" ? "add" : "install -y"} redis`;
  if (machine.platform === "darwin") return "brew install redis";
  return "export REDIS_URL=redis://your-redis-host:6379";
}
