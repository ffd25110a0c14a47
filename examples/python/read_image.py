"""read_image.py <image> [ref]: sends an image to `cardbatch serve` and prints how it ended. Standard library only."""

import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

PASSING = {408, 429, 500, 502, 503, 504, 507}


def read_image(path, ref=None, tries=6):
    with open(path, "rb") as file:
        image = file.read()
    body, content_type = form({"ref": ref} if ref else {}, image)
    headers = {
        "Authorization": "Bearer " + os.environ["CARDBATCH_KEY"],
        "Content-Type": content_type,
        # The same file and ref are the same request, however often they are sent.
        "Idempotency-Key": hashlib.sha256(image + (ref or "").encode()).hexdigest(),
    }
    for attempt in range(1, tries + 1):
        request = urllib.request.Request(os.environ["CARDBATCH_URL"] + "/v1/images?wait=30s", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)["requests"]
        except urllib.error.HTTPError as refusal:
            if refusal.code not in PASSING or attempt == tries:
                raise SystemExit(f"{refusal.code}: {refusal.read().decode()}")
            time.sleep(float(refusal.headers.get("Retry-After") or attempt))
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if attempt == tries:
                raise
            time.sleep(attempt)


def wait_for(view):
    """The request once it has its outcome."""
    while view["outcome"] is None:
        request = urllib.request.Request(
            os.environ["CARDBATCH_URL"] + view["url"] + "?wait=30s",
            headers={"Authorization": "Bearer " + os.environ["CARDBATCH_KEY"]},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            view = json.load(response)
    return view


def form(fields, image):
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n'
    parts += [(head + "Content-Type: application/octet-stream\r\n\r\n").encode(), image, f"\r\n--{boundary}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


if __name__ == "__main__":
    for view in read_image(*sys.argv[1:3]):
        outcome = wait_for(view)["outcome"]
        number = outcome["cards"][0]["number"] if outcome["cards"] else None
        print(outcome["outcome"], number["masked"] if number else outcome.get("code", ""))
