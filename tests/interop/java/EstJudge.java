// Bouncy Castle's EST client (RFC 7030).
//
//   EstJudge HOST:PORT ROOT WORK    then a line for each exchange on standard input; NAME.key and NAME.pem are files in WORK:
//     cacerts LABEL | csrattrs LABEL
//     enrol NEW SUBJECT LABEL by ID SECRET
//     enrol|renew NEW SUBJECT LABEL cert NAME
//     serverkeygen NEW SUBJECT LABEL by ID SECRET
//
// A line for each: "ok WHAT", "wait SECONDS", or "failed WHY". LABEL "-": none.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.est.ESTException;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.HttpAuth;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseDefaultHostnameAuthorizer;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

final class EstJudge {
    private final String server;
    private final Path work;
    private final X509Certificate root;

    private EstJudge(String[] args) throws Exception {
        server = args[0];
        work = Path.of(args[2]);
        root = cert(Path.of(args[1]));
    }

    private static X509Certificate cert(Path file) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(Files.newInputStream(file));
    }

    private JsseESTServiceBuilder service(String label) {
        JsseESTServiceBuilder builder = new JsseESTServiceBuilder(server,
                JcaJceUtils.getCertPathTrustManager(Set.of(new TrustAnchor(root, null)), null));
        builder.withTLSVersion("TLSv1.3").withFilterCipherSuites(false).withTimeout(20000);
        builder.withHostNameAuthorizer(new JsseDefaultHostnameAuthorizer(Set.of()));
        return label.equals("-") ? builder : (JsseESTServiceBuilder) builder.withLabel(label);
    }

    private void keep(String name, KeyPair pair, X509Certificate cert) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("it", pair.getPrivate(), new char[] {'x'}, new X509Certificate[] {cert});
        try (var out = Files.newOutputStream(work.resolve(name + ".p12"))) {
            store.store(out, new char[] {'x'});
        }
        Files.writeString(work.resolve(name + ".pem"), "-----BEGIN CERTIFICATE-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(cert.getEncoded()) + "\n-----END CERTIFICATE-----\n");
    }

    private KeyManagerFactory keys(String name) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(Files.newInputStream(work.resolve(name + ".p12")), new char[] {'x'});
        KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
        factory.init(store, new char[] {'x'});
        return factory;
    }

    private String enrol(String[] words) throws Exception {
        KeyPairGenerator maker = KeyPairGenerator.getInstance("EC");
        maker.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair pair = maker.generateKeyPair();
        PKCS10CertificationRequest csr = new JcaPKCS10CertificationRequestBuilder(new X500Principal(words[2]),
                pair.getPublic()).build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate()));
        JsseESTServiceBuilder builder = service(words[3]);
        HttpAuth auth = null;
        if (words[4].equals("cert")) {
            builder.withKeyManagers(keys(words[5]).getKeyManagers());
        } else {
            auth = new HttpAuth("keywright", words[5], words[6].toCharArray());
        }
        ESTService service = builder.build();
        EnrollmentResponse got = words[0].equals("serverkeygen") ? service.simpleEnrollWithServersideCreation(csr, auth)
                : service.simpleEnroll(words[0].equals("renew"), csr, auth);
        if (!got.isCompleted()) {
            return "wait " + (got.getNotBefore() - System.currentTimeMillis() + 500) / 1000;
        }
        X509CertificateHolder[] certs = ESTService.storeToArray(got.getStore());
        X509Certificate cert = new JcaX509CertificateConverter().getCertificate(certs[0]);
        keep(words[1], pair, cert);
        return "ok " + certs.length + " " + cert.getSubjectX500Principal();
    }

    private String one(String[] words) throws Exception {
        switch (words[0]) {
            case "cacerts":
                return "ok " + ESTService.storeToArray(service(words[1]).build().getCACerts().getCertificateStore()).length;
            case "csrattrs":
                return "ok " + service(words[1]).build().getCSRAttributes().getAttributesResponse().getRequirements().size();
            default:
                return enrol(words);
        }
    }

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        EstJudge judge = new EstJudge(args);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                System.out.println(judge.one(line.split(" ")));
            } catch (ESTException e) {
                System.out.println("failed " + e.getStatusCode() + " " + e.getMessage().replace('\n', ' '));
            } catch (Exception e) {
                System.out.println("failed " + e);
            }
            System.out.flush();
        }
    }
}
