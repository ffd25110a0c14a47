/**
 * The library: `import { CardbatchClient, createProducer, consumeResults } from "cardbatch"`. For services that send images to be
 * read and take their outcomes; it loads nothing of the application itself.
 */
export type { OutcomeRecord, RecordCard } from "../domain/record.js";
export {
  type BatchOptions,
  type BatchView,
  type CallOptions,
  CardbatchClient,
  type ClientOptions,
  type ImageOptions,
  type ImageView,
  type RequestView,
  type RevealedOutcome,
  type StoredImage,
} from "./client.js";
export { CardbatchClientError, type ClientErrorCode, type ClientIssue } from "./client-error.js";
export {
  type Consumer,
  type ConsumerOptions,
  type ConsumerTrouble,
  consumeResults,
  type Delivery,
  type OutcomeHandler,
} from "./consumer.js";
export type { EnqueuedImage, ImageLocation, ImageToRead } from "./image-jobs.js";
export { type AddOptions, createProducer, type Producer, type ProducerOptions } from "./producer.js";
export { type ReceivedWebhook, type VerifyOptions, verifyWebhook, type WebhookEvent } from "./webhooks.js";
