export declare function findPrometheus(): { readonly prometheus: string; readonly promtool: string } | null;
