/** A file as its folder, or the listing of its bucket, knows it, without opening it. */
export interface FileState {
  /** What names it within its batch. */
  readonly name: string;
  /** Another one when the file has changed: size, time of the last change, inode; or what the bucket says of it. */
  readonly stamp: string;
  /** It may change once more and keep its stamp. */
  readonly isFresh: boolean;
}

/** Which files of a batch have been read as they are now. */
export interface FileMarks {
  /** Whether each has been read, as it is now, by a run that succeeded. */
  areKnown(files: readonly FileState[]): Promise<boolean[]>;
  /** These have been read; that counts once the run has succeeded. */
  note(files: readonly FileState[]): Promise<void>;
}
