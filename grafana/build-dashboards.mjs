// Makes grafana/dashboards/*.json: `node grafana/build-dashboards.mjs`. What is shown is listed here; how, is the same everywhere.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SOURCE = { type: "prometheus", uid: "prometheus" };
/** A menu of all of them, with every field that Grafana's own schema has. */
const LINK_TO_ALL = {
  type: "dashboards",
  title: "cardbatch",
  tags: ["cardbatch"],
  asDropdown: true,
  icon: "external link",
  tooltip: "",
  keepTime: true,
  includeVars: false,
  targetBlank: false,
};
const CALLS = "cardbatch_provider_calls_total";
const perSecond = (metric, by) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;
const inRange = (metric, by = "") => `sum ${by === "" ? "" : `by (${by}) `}(increase(${metric}[$__range]))`;
const quantile = (q, metric, by) =>
  `histogram_quantile(${q}, sum by (${by}) (rate(${metric}_bucket[$__rate_interval])))`;

const stat = (title, expr, unit = "short") => ({
  type: "stat",
  title,
  unit,
  width: 4,
  height: 4,
  queries: [[expr, ""]],
});
const chart = (title, unit, ...queries) => ({ type: "timeseries", title, unit, width: 12, height: 8, queries });
const bars = (title, ...queries) => ({ type: "bargauge", title, unit: "short", width: 12, height: 8, queries });

const DASHBOARDS = {
  overview: {
    title: "cardbatch: Overview",
    panels: [
      stat(
        "Done",
        'sum(cardbatch:batch_items{state!="pending"}) / (sum(cardbatch:batch_items) > 0) or vector(1)',
        "percentunit",
      ),
      stat("Pages left", 'sum(cardbatch:batch_items{state="pending"})'),
      stat(
        "Time left",
        'sum(cardbatch:batch_items{state="pending"}) / (cardbatch:pages_done:rate5m > 0) or vector(0)',
        "s",
      ),
      stat("Pages a second", "cardbatch:pages_done:rate5m"),
      stat("Cost in this range", inRange("cardbatch_provider_cost_total"), "none"),
      stat("Failed in this range", inRange('cardbatch_jobs_finished_total{outcome="failed"}')),
      chart("Pages a second, by outcome", "ops", [
        perSecond("cardbatch_jobs_finished_total", "outcome"),
        "{{outcome}}",
      ]),
      chart("Pages of the open batches", "short", ["cardbatch:batch_items", "{{state}}"]),
      bars("Failures in this range, by code", [
        `${inRange("cardbatch_job_failures_total", "code")} > 0 or vector(0)`,
        "{{code}}",
      ]),
      chart(
        "Cost",
        "none",
        [inRange("cardbatch_provider_cost_total", "provider"), "{{provider}}"],
        [inRange("cardbatch_groundtruth_cost_total", "provider"), "{{provider}}: of it golden images"],
      ),
      chart(
        "Golden images: share misread, and the least that it can be",
        "percentunit",
        [
          "cardbatch:golden_wrong:ratio30m or sum by (provider) (0 * cardbatch_groundtruth_calls_total)",
          "{{provider}}",
        ],
        [
          "cardbatch:golden_wrong:least3h or sum by (provider) (0 * cardbatch_groundtruth_calls_total)",
          "{{provider}}: at least, 3 h",
        ],
      ),
      chart(
        "Golden images by match, and wrong accepts",
        "short",
        [inRange("cardbatch_groundtruth_cards_total", "provider, match"), "{{provider}} {{match}}"],
        [inRange("cardbatch_groundtruth_wrong_accepts_total", "provider"), "{{provider}} wrong accepts"],
      ),
      chart("Confidence of numbers", "percentunit", [
        'histogram_quantile(0.1, sum by (provider, le) (increase(cardbatch_result_confidence_ratio_bucket{field="number"}[$__range])))',
        "{{provider}}: nine in ten above",
      ]),
      chart("Wrong check digits", "short", [
        inRange('cardbatch_luhn_checks_total{result="invalid"}', "provider"),
        "{{provider}}",
      ]),
    ],
  },
  providers: {
    title: "cardbatch: Providers",
    panels: [
      chart("Calls a second, by result", "ops", [
        `${perSecond(CALLS, "provider, result")} > 0`,
        "{{provider}} {{result}}",
      ]),
      chart(
        "Calls a second beside what is allowed",
        "ops",
        [perSecond(CALLS, "provider"), "{{provider}}"],
        ["sum by (provider) (last_over_time(cardbatch_provider_allowed_rate[1m]))", "{{provider}}: allowed"],
      ),
      chart(
        "Latency",
        "s",
        ["cardbatch:call_duration_seconds:p50 >= 0", "{{provider}} half"],
        ["cardbatch:call_duration_seconds:p95 >= 0", "{{provider}} 95 %"],
        ["cardbatch:call_duration_seconds:p99 >= 0", "{{provider}} 99 %"],
      ),
      chart("Wait for a turn", "s", [
        `${quantile(0.95, "cardbatch_provider_pace_wait_seconds", "provider, le")} >= 0`,
        "{{provider}} 95 %",
      ]),
      chart("Share of calls that meet a fault", "percentunit", [
        "cardbatch:call_faults:ratio_rate5m or sum by (provider) (0 * cardbatch_provider_calls_total)",
        "{{provider}}",
      ]),
      chart("Refused for their number (429)", "ops", [
        perSecond(`${CALLS}{result="provider-throttled"}`, "provider"),
        "{{provider}}",
      ]),
      chart("Breaker: 0 closed, 0.5 probing, 1 open", "none", [
        "max by (provider) (last_over_time(cardbatch_provider_breaker_state[1m]))",
        "{{provider}}",
      ]),
      chart(
        "Billable and uncertain calls",
        "short",
        [inRange("cardbatch_provider_billable_calls_total", "provider"), "{{provider}} billable"],
        [inRange("cardbatch_provider_uncertain_calls_total", "provider"), "{{provider}} uncertain"],
      ),
    ],
  },
  workers: {
    title: "cardbatch: Workers and queue",
    panels: [
      chart("Jobs", "short", ["cardbatch:queue_jobs", "{{state}}"]),
      chart(
        "Workers, and outcomes not written down yet",
        "short",
        ["sum(last_over_time(cardbatch_queue_workers[1m]))", "workers"],
        ["sum(last_over_time(cardbatch_outcomes_unread[1m]))", "unread outcomes"],
      ),
      chart("Wait in the queue", "s", [`${quantile(0.95, "cardbatch_job_queue_wait_seconds", "le")} >= 0`, "95 %"]),
      chart("From start to outcome", "s", [`${quantile(0.95, "cardbatch_job_duration_seconds", "le")} >= 0`, "95 %"]),
      chart("Enqueued a second", "ops", ["sum(rate(cardbatch_jobs_enqueued_total[$__rate_interval]))", "enqueued"]),
      chart("Written by sinks", "ops", [
        perSecond("cardbatch_sink_writes_total", "sink, result"),
        "{{sink}} {{result}}",
      ]),
      bars("Images that could not be used", [
        `${inRange("cardbatch_image_rejected_total", "reason")} > 0 or vector(0)`,
        "{{reason}}",
      ]),
      chart("Memory of Redis", "bytes", ["max(last_over_time(cardbatch_redis_memory_bytes[1m]))", "used"]),
      chart("Requests to serve", "ops", [
        perSecond("cardbatch_http_requests_total", "route, status"),
        "{{route}} {{status}}",
      ]),
      chart("Since something was finished", "s", [
        "time() - max(last_over_time(cardbatch_batch_last_progress_timestamp_seconds[5m]))",
        "seconds",
      ]),
      chart(
        "Processes",
        "none",
        ['up{job="cardbatch"}', "{{instance}}"],
        ["sum by (version) (cardbatch_build_info)", "version {{version}}"],
      ),
      chart("Card numbers taken out of log lines", "short", [inRange("cardbatch_log_scrubbed_total"), "should be 0"]),
    ],
  },
  nightly: {
    title: "cardbatch: Nightly",
    panels: [
      stat("Schedules", "sum(cardbatch_schedules) or vector(0)"),
      stat("Late", "sum(cardbatch_schedules_late) or vector(0)"),
      stat("Longest overdue", "max(cardbatch_schedule_overdue_seconds) or vector(0)", "s"),
      stat(
        "Since the oldest last success",
        "time() - min(cardbatch_schedule_last_success_timestamp_seconds > 0) or vector(0)",
        "s",
      ),
      chart("Runs in this range", "short", [
        `${inRange("cardbatch_schedule_runs_total", "result")} or vector(0)`,
        "{{result}}",
      ]),
      chart("Files opened and passed over", "short", [
        `${inRange("cardbatch_schedule_files_total", "state")} or vector(0)`,
        "{{state}}",
      ]),
      chart("Overdue", "s", ["max(cardbatch_schedule_overdue_seconds) or vector(0)", "seconds"]),
      chart("Pages a second at night", "ops", ["cardbatch:pages_done:rate5m", "pages"]),
    ],
  },
};

const folder = fileURLToPath(new URL("dashboards/", import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
  writeFileSync(`${folder}${name}.json`, `${JSON.stringify(toGrafana(name, dashboard), null, 2)}\n`);
}

function toGrafana(name, { title, panels }) {
  const place = createPlacer();
  return {
    uid: `cardbatch-${name}`,
    title,
    tags: ["cardbatch"],
    schemaVersion: 39,
    timezone: "browser",
    time: { from: "now-1h", to: "now" },
    refresh: "10s",
    links: [LINK_TO_ALL],
    panels: panels.map(({ type, title: its, unit, width, height, queries }, i) => ({
      id: i + 1,
      type,
      title: its,
      datasource: SOURCE,
      gridPos: place(width, height),
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: queries.map(([expr, legendFormat], at) => ({
        refId: String.fromCharCode(65 + at),
        datasource: SOURCE,
        expr,
        legendFormat: legendFormat === "" ? "__auto" : legendFormat,
      })),
    })),
  };
}

/** Left to right, then down; Grafana's grid is 24 wide. */
function createPlacer() {
  let [x, y, tall] = [0, 0, 0];
  return (w, h) => {
    if (x + w > 24) [x, y, tall] = [0, y + tall, 0];
    const at = { x, y, w, h };
    x += w;
    tall = Math.max(tall, h);
    return at;
  };
}
