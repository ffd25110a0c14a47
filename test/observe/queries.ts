import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const grafana = fileURLToPath(new URL("../../grafana/", import.meta.url));

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
}

export function ruleFile(name: string): readonly Rule[] {
  const { groups } = parse(readFileSync(`${grafana}rules/${name}`, "utf8")) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** Every query of every dashboard, with what Grafana puts in for its variables. */
export function dashboardQueries(): { readonly where: string; readonly expr: string }[] {
  return readdirSync(`${grafana}dashboards`).flatMap((file) => {
    const { title, panels } = JSON.parse(readFileSync(`${grafana}dashboards/${file}`, "utf8")) as {
      title: string;
      panels: Panel[];
    };
    return panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr }) => ({
        where: `${title}: ${panel.title}`,
        expr: expr.replaceAll("$__rate_interval", "1m").replaceAll("$__range", "10m"),
      })),
    );
  });
}

/** The metrics and recorded series that an expression asks for; of a histogram its own name. */
export function metricsIn(expr: string): string[] {
  const names = expr.match(/\bcardbatch[_:][a-z0-9_:]+/g) ?? [];
  return names.map((name) => (name.includes(":") ? name : name.replace(/_(bucket|sum|count)$/, "")));
}
