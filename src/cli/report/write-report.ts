import { join } from "node:path";
import type { OutcomeRecord } from "../../domain/record.js";
import { STREAM_FILES } from "../../results/ndjson-sink.js";
import { readRecords } from "../../results/read-lines.js";
import { writeFileWhole } from "../../results/write-whole.js";
import { type Report, reportPage } from "./report-page.js";

/** Of each outcome. */
const MOST_EXAMPLES = 3;
/** From the beginning of each file: a report of a million pages is not to read them all again. */
const LOOKED_THROUGH = 2000;

/** Writes `report.html` beside the results. */
export async function writeReport(folder: string, report: Omit<Report, "examples">): Promise<void> {
  const examples = await findExamples(folder);
  await writeFileWhole(join(folder, "report.html"), reportPage({ ...report, examples }));
}

async function findExamples(folder: string): Promise<OutcomeRecord[]> {
  const found: OutcomeRecord[] = [];
  for (const file of Object.values(STREAM_FILES)) {
    let lines = 0;
    for await (const record of readRecords(join(folder, file))) {
      const same = found.filter(({ outcome, code }) => outcome === record.outcome && code === record.code);
      if (same.length < MOST_EXAMPLES) found.push(record);
      if (++lines === LOOKED_THROUGH) break;
    }
  }
  return found;
}
