export interface Service {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}
export interface Place {
  readonly folder: string;
  readonly samples: string;
  readonly offset: number;
}
export declare function readStack(): Service[];
export declare function placeHere(place: Place): (text: string) => string;
export declare function stackHere(place: Place): Service[];
export declare function prometheusHere(place: Pick<Place, "offset">): unknown;
