import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPrivateKeySpec;
import java.security.spec.ECPublicKeySpec;
import java.util.Base64;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * java OpenJwe.java private.jwk jwe request field: opens a number that cardbatch encrypted to your public key. Standard library
 * only; RFC 7516 and 7518: ECDH-ES+A256KW with A256GCM on P-256, P-384 or P-521, nothing else is taken.
 */
public class OpenJwe {
    private static final String ALGORITHM = "ECDH-ES+A256KW";
    private static final Map<String, String> CURVES =
            Map.of("P-256", "secp256r1", "P-384", "secp384r1", "P-521", "secp521r1");

    public static void main(String[] args) throws Exception {
        System.out.println(open(args[1], Files.readString(Path.of(args[0])), args[2], args[3]));
    }

    static String open(String jwe, String privateJwk, String request, String field) throws Exception {
        String[] parts = jwe.split("\\.");
        String header = new String(decode(parts[0]), StandardCharsets.UTF_8);
        require(text(header, "alg").equals(ALGORITHM) && text(header, "enc").equals("A256GCM"), "another algorithm");
        require(text(header, "rid").equals(request) && text(header, "fld").equals(field), "made for another field");

        Cipher unwrap = Cipher.getInstance("AESWrap");
        unwrap.init(Cipher.UNWRAP_MODE, wrappingKey(agree(privateJwk, header)));
        SecretKey contentKey = (SecretKey) unwrap.unwrap(decode(parts[1]), "AES", Cipher.SECRET_KEY);

        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.DECRYPT_MODE, contentKey, new GCMParameterSpec(128, decode(parts[2])));
        cipher.updateAAD(parts[0].getBytes(StandardCharsets.US_ASCII));
        byte[] ciphertext = decode(parts[3]);
        byte[] tag = decode(parts[4]);
        byte[] both = ByteBuffer.allocate(ciphertext.length + tag.length).put(ciphertext).put(tag).array();
        return new String(cipher.doFinal(both), StandardCharsets.UTF_8);
    }

    private static byte[] agree(String privateJwk, String header) throws Exception {
        String curve = text(header, "crv");
        require(curve.equals(text(privateJwk, "crv")), "another curve");
        AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
        parameters.init(new ECGenParameterSpec(CURVES.get(curve)));
        ECParameterSpec spec = parameters.getParameterSpec(ECParameterSpec.class);
        ECPoint point = new ECPoint(number(text(header, "x")), number(text(header, "y")));
        KeyFactory factory = KeyFactory.getInstance("EC");
        PublicKey theirs = factory.generatePublic(new ECPublicKeySpec(point, spec));
        PrivateKey ours = factory.generatePrivate(new ECPrivateKeySpec(number(text(privateJwk, "d")), spec));
        KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
        agreement.init(ours);
        agreement.doPhase(theirs, true);
        return agreement.generateSecret();
    }

    /** RFC 7518, 4.6.2: one round of the Concat KDF. */
    private static SecretKey wrappingKey(byte[] shared) throws Exception {
        byte[] name = ALGORITHM.getBytes(StandardCharsets.US_ASCII);
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        digest.update(size(1));
        digest.update(shared);
        digest.update(size(name.length));
        digest.update(name);
        digest.update(size(0));
        digest.update(size(0));
        return new SecretKeySpec(digest.digest(size(256)), "AES");
    }

    private static byte[] size(int value) {
        return ByteBuffer.allocate(4).putInt(value).array();
    }

    private static byte[] decode(String text) {
        return Base64.getUrlDecoder().decode(text);
    }

    private static BigInteger number(String text) {
        return new BigInteger(1, decode(text));
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) throw new IllegalArgumentException(otherwise);
    }

    /** The standard library reads no JSON; for these flat texts a pattern will do. */
    private static String text(String json, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"]*)\"").matcher(json);
        return matcher.find() ? matcher.group(1) : "";
    }
}
