// go run read_image.go <image> [ref]: sends an image to `cardbatch serve` and prints how it ended. Standard library only.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"time"
)

const tries = 6

var client = &http.Client{Timeout: 60 * time.Second}

type outcome struct {
	Outcome string `json:"outcome"`
	Code    string `json:"code"`
	Cards   []struct {
		Number *struct {
			Masked string `json:"masked"`
		} `json:"number"`
	} `json:"cards"`
}

type requestView struct {
	URL     string   `json:"url"`
	Outcome *outcome `json:"outcome"`
}

func main() {
	ref := ""
	if len(os.Args) > 2 {
		ref = os.Args[2]
	}
	if err := run(os.Args[1], ref); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path, ref string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	body, contentType, err := form(image, ref)
	if err != nil {
		return err
	}
	// Kept over all tries: the same key and image are the same request.
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	headers := map[string]string{"Content-Type": contentType, "Idempotency-Key": hex.EncodeToString(key)}
	var sent struct {
		Requests []requestView `json:"requests"`
	}
	if err := call("POST", "/v1/images?wait=30s", body, headers, &sent); err != nil {
		return err
	}
	for _, view := range sent.Requests {
		for view.Outcome == nil {
			if err := call("GET", view.URL+"?wait=30s", nil, nil, &view); err != nil {
				return err
			}
		}
		what := view.Outcome.Code
		if len(view.Outcome.Cards) > 0 && view.Outcome.Cards[0].Number != nil {
			what = view.Outcome.Cards[0].Number.Masked
		}
		fmt.Println(view.Outcome.Outcome, what)
	}
	return nil
}

// call sends again what passes: broken connections, 429 and 5xx, as Retry-After says.
func call(method, path string, body []byte, headers map[string]string, into any) error {
	for attempt := 1; ; attempt++ {
		request, err := http.NewRequest(method, os.Getenv("CARDBATCH_URL")+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+os.Getenv("CARDBATCH_KEY"))
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		wait := time.Duration(attempt) * time.Second
		response, err := client.Do(request)
		if err == nil {
			text, readErr := io.ReadAll(response.Body)
			response.Body.Close()
			if readErr == nil && response.StatusCode < 300 {
				return json.Unmarshal(text, into)
			}
			if readErr == nil && !passes(response.StatusCode) {
				return fmt.Errorf("%d: %s", response.StatusCode, text)
			}
			if seconds, parseErr := strconv.Atoi(response.Header.Get("Retry-After")); parseErr == nil {
				wait = time.Duration(seconds) * time.Second
			}
			err = fmt.Errorf("%d: %s", response.StatusCode, text)
		}
		if attempt == tries {
			return err
		}
		time.Sleep(wait)
	}
}

func passes(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500
}

func form(image []byte, ref string) ([]byte, string, error) {
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	if ref != "" {
		if err := writer.WriteField("ref", ref); err != nil {
			return nil, "", err
		}
	}
	part, err := writer.CreateFormFile("image", "image")
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(image); err != nil {
		return nil, "", err
	}
	if err := writer.Close(); err != nil {
		return nil, "", err
	}
	return body.Bytes(), writer.FormDataContentType(), nil
}
