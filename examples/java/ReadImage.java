import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** java ReadImage.java image [ref]: sends an image to `cardbatch serve` and prints how it ended. Standard library only. */
public class ReadImage {
    private static final Set<Integer> PASSING = Set.of(408, 429, 500, 502, 503, 504, 507);
    private static final int TRIES = 6;
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] args) throws Exception {
        byte[] image = Files.readAllBytes(Path.of(args[0]));
        String boundary = UUID.randomUUID().toString();
        HttpRequest request = authorized("/v1/images?wait=30s")
                .header("Content-Type", "multipart/form-data; boundary=" + boundary)
                // Kept over all tries: the same key and image are the same request.
                .header("Idempotency-Key", UUID.randomUUID().toString())
                .POST(BodyPublishers.ofByteArray(form(boundary, args.length > 1 ? args[1] : null, image)))
                .build();
        String answer = send(request);
        while (answer.contains("\"outcome\":null")) {
            answer = send(authorized(text(answer, "url") + "?wait=30s").GET().build());
        }
        String number = answer.contains("\"masked\"") ? text(answer, "masked") : text(answer, "code");
        System.out.println(text(answer, "outcome") + " " + number);
    }

    private static HttpRequest.Builder authorized(String path) {
        return HttpRequest.newBuilder(URI.create(System.getenv("CARDBATCH_URL") + path))
                .timeout(Duration.ofSeconds(60))
                .header("Authorization", "Bearer " + System.getenv("CARDBATCH_KEY"));
    }

    /** Sends again what passes: broken connections, 429 and 5xx, as Retry-After says. */
    private static String send(HttpRequest request) throws Exception {
        for (int attempt = 1; ; attempt++) {
            long waitSeconds = attempt;
            try {
                HttpResponse<String> response = CLIENT.send(request, BodyHandlers.ofString());
                if (response.statusCode() < 300) return response.body();
                if (!PASSING.contains(response.statusCode()) || attempt == TRIES) {
                    throw new IllegalStateException(response.statusCode() + ": " + response.body());
                }
                waitSeconds = response.headers().firstValueAsLong("retry-after").orElse(attempt);
            } catch (IOException broken) {
                if (attempt == TRIES) throw broken;
            }
            Thread.sleep(Duration.ofSeconds(waitSeconds).toMillis());
        }
    }

    private static byte[] form(String boundary, String ref, byte[] image) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        if (ref != null) write(body, part(boundary, "name=\"ref\"") + "\r\n" + ref + "\r\n");
        write(body, part(boundary, "name=\"image\"; filename=\"image\"") + "Content-Type: application/octet-stream\r\n\r\n");
        body.write(image);
        write(body, "\r\n--" + boundary + "--\r\n");
        return body.toByteArray();
    }

    private static String part(String boundary, String names) {
        return "--" + boundary + "\r\nContent-Disposition: form-data; " + names + "\r\n";
    }

    private static void write(ByteArrayOutputStream body, String text) throws IOException {
        body.write(text.getBytes(StandardCharsets.UTF_8));
    }

    /** The standard library reads no JSON; for this much a pattern will do. */
    private static String text(String json, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(json);
        return matcher.find() ? matcher.group(1) : "";
    }
}
