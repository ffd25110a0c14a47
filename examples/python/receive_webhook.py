"""receive_webhook.py <port>: takes webhooks and prints each outcome once. Standard library only.

CARDBATCH_WEBHOOK_SECRET is the `webhookSecret` of the API key (Standard Webhooks).
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_S = 300
# A service keeps these where it keeps what it does with outcomes, in the same transaction.
taken = set()


def is_genuine(headers, body):
    """Whether it was signed with our secret, a moment ago."""
    secret = os.environ["CARDBATCH_WEBHOOK_SECRET"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not key or not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > TOLERANCE_S:
        return False
    digest = hmac.new(key, f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(given, expected) for given in headers.get("webhook-signature", "").split(" "))


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not is_genuine(self.headers, body):
            return self.answer(400)
        if self.headers["webhook-id"] not in taken:
            taken.add(self.headers["webhook-id"])
            outcome = json.loads(body)["data"]
            number = outcome["cards"][0]["number"] if outcome["cards"] else None
            print(outcome["outcome"], number["masked"] if number else outcome.get("code", ""), flush=True)
        # Only now: until then it comes again.
        return self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print("listening", server.server_port, flush=True)
    server.serve_forever()
