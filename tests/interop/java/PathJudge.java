// Java's own path validator (PKIX), with nothing but the JDK.
//
//   PathJudge ROOT none|crl|ocsp LISTS CHAIN...    each CHAIN: a leaf and its CAs in PEM; LISTS: a folder of *.crl in DER
//
// crl: every certificate must be on none of LISTS, whose issuing distribution points must fit, with deltas; ocsp: the leaf is
// asked about where it says. A line for each: "FILE ok", or "FILE failed WHY".

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

final class PathJudge {
    private static final CertificateFactory FACTORY = factory();

    private static CertificateFactory factory() {
        try {
            return CertificateFactory.getInstance("X.509");
        } catch (java.security.cert.CertificateException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<Certificate> certs(String file) throws Exception {
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            return new ArrayList<>(FACTORY.generateCertificates(in));
        }
    }

    private static CertStore lists(String folder) throws Exception {
        List<Object> found = new ArrayList<>();
        try (Stream<Path> files = Files.list(Path.of(folder))) {
            for (Path file : files.filter(one -> one.toString().endsWith(".crl")).toList()) {
                found.add(FACTORY.generateCRL(Files.newInputStream(file)));
            }
        }
        return CertStore.getInstance("Collection", new CollectionCertStoreParameters(found));
    }

    private static void judge(String[] args, String file) throws Exception {
        List<Certificate> chain = certs(file);
        Certificate root = certs(args[0]).get(0);
        chain.removeIf(one -> one.equals(root));
        PKIXParameters params = new PKIXParameters(Set.of(new TrustAnchor((X509Certificate) root, null)));
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        params.setRevocationEnabled(!args[1].equals("none"));
        if (args[1].equals("crl")) {
            params.addCertStore(lists(args[2]));
            PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
            checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.PREFER_CRLS, PKIXRevocationChecker.Option.NO_FALLBACK));
            params.addCertPathChecker(checker);
        } else if (args[1].equals("ocsp")) {
            PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
            checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.ONLY_END_ENTITY, PKIXRevocationChecker.Option.NO_FALLBACK));
            params.addCertPathChecker(checker);
        }
        validator.validate(FACTORY.generateCertPath(chain), params);
    }

    public static void main(String[] args) {
        Security.setProperty("ocsp.enable", "true");
        for (int i = 3; i < args.length; i++) {
            try {
                judge(args, args[i]);
                System.out.println(args[i] + " ok");
            } catch (Exception e) {
                Throwable cause = e.getCause() == null ? e : e.getCause();
                System.out.println(args[i] + " failed " + cause.toString().replace('\n', ' '));
            }
        }
    }
}
