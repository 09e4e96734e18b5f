// CMP clients that share no line with Keywright or OpenSSL: Siemens' CmpRaComponent, and Bouncy Castle for PBMAC1 (the
// former writes PBKDF2's keyLength in bits).
//
//   CmpJudge URL ROOT WORK    then a line for each exchange on standard input; NAME.key and NAME.pem are files in WORK:
//     ir|cr|kur|p10cr NEW SUBJECT PROFILE by secret KID SECRET [confirm] [through STATION]
//     ...                                by cert NAME [confirm] [through STATION]
//     pbmac1 SUBJECT by secret KID SECRET
//     rr NAME REASON by cert NAME
//     genm cacerts|template|root|crl by cert NAME
//
// A line for each: "ok WHAT", or "failed EXCEPTION". PROFILE "-": none.

import com.siemens.pki.cmpclientcomponent.configuration.ClientContext;
import com.siemens.pki.cmpclientcomponent.configuration.EnrollmentContext;
import com.siemens.pki.cmpclientcomponent.configuration.RevocationContext;
import com.siemens.pki.cmpclientcomponent.main.CmpClient;
import com.siemens.pki.cmpracomponent.configuration.CmpMessageInterface;
import com.siemens.pki.cmpracomponent.configuration.CredentialContext;
import com.siemens.pki.cmpracomponent.configuration.NestedEndpointContext;
import com.siemens.pki.cmpracomponent.configuration.SharedSecretCredentialContext;
import com.siemens.pki.cmpracomponent.configuration.SignatureCredentialContext;
import com.siemens.pki.cmpracomponent.configuration.VerificationContext;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.List;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.cmp.CMPObjectIdentifiers;
import org.bouncycastle.asn1.cmp.CertRepMessage;
import org.bouncycastle.asn1.cmp.InfoTypeAndValue;
import org.bouncycastle.asn1.cmp.PKIBody;
import org.bouncycastle.asn1.crmf.CertReqMessages;
import org.bouncycastle.asn1.pkcs.PBKDF2Params;
import org.bouncycastle.asn1.pkcs.PBMAC1Params;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.RDN;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.cmp.GeneralPKIMessage;
import org.bouncycastle.cert.cmp.ProtectedPKIMessage;
import org.bouncycastle.cert.cmp.ProtectedPKIMessageBuilder;
import org.bouncycastle.cert.crmf.CertificateReqMessages;
import org.bouncycastle.cert.crmf.CertificateRequestMessage;
import org.bouncycastle.cert.crmf.jcajce.JcaCertificateRequestMessageBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.GenericKey;
import org.bouncycastle.operator.MacCalculator;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.pkcs.jcajce.JcePBMac1CalculatorBuilder;
import org.bouncycastle.pkcs.jcajce.JcePBMac1CalculatorProviderBuilder;

final class CmpJudge {
    private static final AlgorithmIdentifier PRF_SHA384 = JcePBMac1CalculatorBuilder.PRF_SHA384;
    private final URI url;
    private final Path work;
    private final X509Certificate root;
    private final HttpClient http = HttpClient.newHttpClient();

    private CmpJudge(String[] args) throws Exception {
        url = URI.create(args[0]);
        work = Path.of(args[2]);
        root = certs(Path.of(args[1])).get(0);
    }

    private static List<X509Certificate> certs(Path file) throws Exception {
        List<X509Certificate> found = new ArrayList<>();
        try (InputStream in = Files.newInputStream(file)) {
            for (Object one : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                found.add((X509Certificate) one);
            }
        }
        return found;
    }

    private PrivateKey key(String name) throws Exception {
        String text = Files.readString(work.resolve(name + ".key")).replaceAll("-----[A-Z ]+-----|\\s", "");
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text)));
    }

    private static KeyPair pair() throws Exception {
        KeyPairGenerator maker = KeyPairGenerator.getInstance("EC");
        maker.initialize(new ECGenParameterSpec("secp256r1"));
        return maker.generateKeyPair();
    }

    private static String pem(String what, byte[] der) {
        String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
        return "-----BEGIN " + what + "-----\n" + text + "\n-----END " + what + "-----\n";
    }

    private byte[] exchange(byte[] message, String profile, int type) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(url).header("Content-Type", "application/pkixcmp")
                .POST(HttpRequest.BodyPublishers.ofByteArray(message)).build();
        HttpResponse<byte[]> answer = http.send(request, HttpResponse.BodyHandlers.ofByteArray());
        if (answer.statusCode() != 200) {
            throw new IOException("HTTP " + answer.statusCode());
        }
        return answer.body();
    }

    private CredentialContext signer(String name) throws Exception {
        PrivateKey key = key(name);
        List<X509Certificate> chain = certs(work.resolve(name + ".pem"));
        return new SignatureCredentialContext() {
            @Override public List<X509Certificate> getCertificateChain() { return chain; }
            @Override public PrivateKey getPrivateKey() { return key; }
        };
    }

    private static CredentialContext secret(String kid, String secret) {
        return new SharedSecretCredentialContext() {
            @Override public byte[] getSharedSecret() { return secret.getBytes(StandardCharsets.UTF_8); }
            @Override public byte[] getSenderKID() { return kid.getBytes(StandardCharsets.UTF_8); }
            @Override public String getPasswordBasedMacAlgorithm() { return "PASSWORDBASEDMAC"; }
        };
    }

    private VerificationContext trust(String secret) {
        return new VerificationContext() {
            @Override public Collection<X509Certificate> getTrustedCertificates() { return List.of(root); }
            @Override public byte[] getSharedSecret(byte[] kid) {
                return secret == null ? null : secret.getBytes(StandardCharsets.UTF_8);
            }
        };
    }

    private NestedEndpointContext through(String station) throws Exception {
        CredentialContext credentials = signer(station);
        return new NestedEndpointContext() {
            @Override public VerificationContext getInputVerification() { return trust(null); }
            @Override public CredentialContext getOutputCredentials() { return credentials; }
            @Override public boolean isIncomingRecipientValid(String recipient) { return true; }
        };
    }

    private CmpMessageInterface interfaceOf(String by) throws Exception {
        String[] words = by.split(" ");
        boolean mac = words[0].equals("secret");
        CredentialContext credentials = mac ? secret(words[1], words[2]) : signer(words[1]);
        int at = Arrays.asList(words).indexOf("through");
        NestedEndpointContext nested = at < 0 ? null : through(words[at + 1]);
        return new CmpMessageInterface() {
            @Override public VerificationContext getInputVerification() { return trust(mac ? words[2] : null); }
            @Override public NestedEndpointContext getNestedEndpointContext() { return nested; }
            @Override public CredentialContext getOutputCredentials() { return credentials; }
            @Override public String getRecipient() { return "CN=pki"; }
            @Override public ReprotectMode getReprotectMode() { return ReprotectMode.reprotect; }
            @Override public boolean getSuppressRedundantExtraCerts() { return false; }
            @Override public boolean isCacheExtraCerts() { return false; }
            @Override public boolean isMessageTimeDeviationAllowed(long seconds) { return Math.abs(seconds) < 60; }
        };
    }

    private EnrollmentContext enrolment(String[] words, KeyPair pair, boolean implicit, X509Certificate old) throws Exception {
        byte[] csr = words[0].equals("p10cr") ? new JcaPKCS10CertificationRequestBuilder(
                new X500Principal(words[2]), pair.getPublic()).build(
                new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate())).getEncoded() : null;
        int type = List.of("ir", "", "cr", "", "p10cr", "", "", "kur").indexOf(words[0]);
        return new EnrollmentContext() {
            @Override public KeyPair getCertificateKeypair() { return pair; }
            @Override public byte[] getCertificationRequest() { return csr; }
            @Override public VerificationContext getEnrollmentTrust() { return trust(null); }
            @Override public int getEnrollmentType() { return type; }
            @Override public List<TemplateExtension> getExtensions() { return null; }
            @Override public X509Certificate getOldCert() { return old; }
            @Override public boolean getRequestImplictConfirm() { return implicit; }
            @Override public String getSubject() { return words[2]; }
        };
    }

    private static ClientContext context(EnrollmentContext enrolment, RevocationContext revocation) {
        return new ClientContext() {
            @Override public EnrollmentContext getEnrollmentContext() { return enrolment; }
            @Override public RevocationContext getRevocationContext() { return revocation; }
        };
    }

    private String enrol(String[] words, String by) throws Exception {
        KeyPair pair = pair();
        String[] how = by.split(" ");
        X509Certificate old = words[0].equals("kur") ? certs(work.resolve(how[1] + ".pem")).get(0) : null;
        EnrollmentContext wanted = enrolment(words, pair, !by.contains(" confirm"), old);
        CmpClient client = new CmpClient(words[3].equals("-") ? null : words[3], this::exchange, interfaceOf(by),
                context(wanted, null));
        CmpClient.EnrollmentResult got = client.invokeEnrollment();
        if (got == null) {
            throw new IOException("refused");
        }
        Files.writeString(work.resolve(words[1] + ".key"), pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
        StringBuilder chain = new StringBuilder(pem("CERTIFICATE", got.getEnrolledCertificate().getEncoded()));
        for (X509Certificate one : got.getEnrollmentChain()) {
            if (!one.equals(got.getEnrolledCertificate()) && !one.equals(root)) {
                chain.append(pem("CERTIFICATE", one.getEncoded()));
            }
        }
        Files.writeString(work.resolve(words[1] + ".pem"), chain.toString());
        return got.getEnrolledCertificate().getSubjectX500Principal() + ", chain of " + got.getEnrollmentChain().size();
    }

    private String revoke(String[] words, String by) throws Exception {
        X509Certificate cert = certs(work.resolve(words[1] + ".pem")).get(0);
        CmpClient client = new CmpClient(null, this::exchange, interfaceOf(by), context(null, new RevocationContext() {
            @Override public String getIssuer() { return cert.getIssuerX500Principal().getName(); }
            @Override public BigInteger getSerialNumber() { return cert.getSerialNumber(); }
            @Override public int getRevocationReason() { return Integer.parseInt(words[2]); }
        }));
        if (!client.invokeRevocation()) {
            throw new IOException("refused");
        }
        return "revoked";
    }

    private String general(String[] words, String by) throws Exception {
        CmpClient client = new CmpClient(null, this::exchange, interfaceOf(by), context(null, null));
        switch (words[1]) {
            case "cacerts":
                return client.getCaCertificates().size() + " certificates";
            case "template":
                return client.getCertificateRequestTemplate().length + " octets";
            case "root":
                return client.getRootCaCertificateUpdate(root) == null ? "no other root" : "another root";
            default:
                X509Certificate cert = certs(work.resolve(by.split(" ")[1] + ".pem")).get(0);
                return client.getCrls(null, null, new String[] {cert.getIssuerX500Principal().getName()}, null).size() + " CRLs";
        }
    }

    /* ir, implicitly confirmed: what Bouncy Castle makes of its answer. */
    private String pbmac1(String subject, String kid, String secret) throws Exception {
        KeyPair pair = pair();
        CertificateRequestMessage request = new JcaCertificateRequestMessageBuilder(BigInteger.ZERO)
                .setSubject(new X500Principal(subject)).setPublicKey(pair.getPublic())
                .setProofOfPossessionSigningKeySigner(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate()))
                .build();
        byte[] nonce = new byte[16];
        new SecureRandom().nextBytes(nonce);
        PBMAC1Params params = new PBMAC1Params(new AlgorithmIdentifier(PKCSObjectIdentifiers.id_PBKDF2,
                new PBKDF2Params(nonce, 5000, 48, PRF_SHA384)), PRF_SHA384);
        MacCalculator computed = new JcePBMac1CalculatorBuilder(params).build(secret.toCharArray());
        /* Bouncy Castle names PBES2 where PBKDF2 belongs (1.83; 1.78 also takes the key length otherwise). */
        MacCalculator mac = new MacCalculator() {
            @Override public AlgorithmIdentifier getAlgorithmIdentifier() {
                return new AlgorithmIdentifier(PKCSObjectIdentifiers.id_PBMAC1, params);
            }
            @Override public OutputStream getOutputStream() { return computed.getOutputStream(); }
            @Override public byte[] getMac() { return computed.getMac(); }
            @Override public GenericKey getKey() { return computed.getKey(); }
        };
        byte[] message = new ProtectedPKIMessageBuilder(new GeneralName(new X500Name(new RDN[0])),
                new GeneralName(new X500Name("CN=pki"))).setMessageTime(new Date()).setSenderKID(kid.getBytes(StandardCharsets.UTF_8))
                .setTransactionID(nonce).setSenderNonce(nonce)
                .addGeneralInfo(new InfoTypeAndValue(CMPObjectIdentifiers.it_implicitConfirm, DERNull.INSTANCE))
                .setBody(PKIBody.TYPE_INIT_REQ, new CertificateReqMessages(new CertReqMessages(request.toASN1Structure())))
                .build(mac)
                .toASN1Structure().getEncoded();
        ProtectedPKIMessage answer = new ProtectedPKIMessage(new GeneralPKIMessage(exchange(message, null, 0)));
        if (!answer.verify(new JcePBMac1CalculatorProviderBuilder().build(), secret.toCharArray())) {
            throw new IOException("the answer's MAC is wrong");
        }
        CertRepMessage got = CertRepMessage.getInstance(answer.getBody().getContent());
        X509CertificateHolder cert = new X509CertificateHolder(
                got.getResponse()[0].getCertifiedKeyPair().getCertOrEncCert().getCertificate().getX509v3PKCert());
        return cert.getSubject() + " by " + answer.getProtectionAlgorithm().getAlgorithm();
    }

    private String one(String line) throws Exception {
        String[] halves = line.split(" by ", 2);
        String[] words = halves[0].split(" ");
        switch (words[0]) {
            case "rr":
                return revoke(words, halves[1]);
            case "pbmac1":
                return pbmac1(words[1], halves[1].split(" ")[1], halves[1].split(" ")[2]);
            case "genm":
                return general(words, halves[1]);
            default:
                return enrol(words, halves[1]);
        }
    }

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        CmpJudge judge = new CmpJudge(args);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                System.out.println("ok " + judge.one(line));
            } catch (Exception | LinkageError e) {
                Throwable cause = e;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                System.out.println("failed " + e.getMessage() + ": " + cause);
            }
            System.out.flush();
        }
    }
}
