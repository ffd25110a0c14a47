export declare function findPrometheus(): Promise<{ readonly prometheus: string; readonly promtool: string } | null>;
