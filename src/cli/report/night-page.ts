import type { NightPage } from "../../app/nightly.js";
import { createRunLog } from "./run-log.js";
import { writeReport } from "./write-report.js";

/** `report.html` of one run of a schedule. */
export function createNightPage(version: string): NightPage {
  const log = createRunLog();
  return {
    observe: log.observe,
    show: log.show,
    write: (folder, report, ending) => writeReport(folder, { ...report, story: log.story(), ending, version }),
  };
}
