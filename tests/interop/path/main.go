// Judge of paths, CRLs and OCSP answers that shares no line with Keywright: Go's crypto/x509 and golang.org/x/crypto/ocsp.
//
//	judge path ROOT CHAIN...          each CHAIN: a leaf and its CAs in PEM
//	judge crl ISSUER LIST...          each LIST in DER
//	judge ocsp URL ISSUER CERT...     asks as RFC 9919 wants it (SHA-256, GET), and by POST with SHA-1
//
// A line for each: "FILE ok WHAT" or "FILE failed WHY".
package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"golang.org/x/crypto/ocsp"
)

func certs(path string) ([]*x509.Certificate, error) {
	octets, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found []*x509.Certificate
	for block, rest := pem.Decode(octets); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, cert)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no certificate")
	}
	return found, nil
}

func path(root *x509.Certificate, file string) (string, error) {
	chain, err := certs(file)
	if err != nil {
		return "", err
	}
	roots, above := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, one := range chain[1:] {
		above.AddCert(one)
	}
	usages := chain[0].ExtKeyUsage
	if len(usages) == 0 {
		usages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	// The SAN of an IDevID (RFC 4108) is critical only without a subject; ours are not.
	paths, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: above, KeyUsages: usages[:1]})
	return fmt.Sprintf("%d certificates", len(append(paths, nil)[0])), err
}

func list(issuer *x509.Certificate, file string) (string, error) {
	octets, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	crl, err := x509.ParseRevocationList(octets)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d entries", len(crl.RevokedCertificateEntries)), crl.CheckSignatureFrom(issuer)
}

func fetch(address string, request []byte, get bool) ([]byte, error) {
	var answer *http.Response
	var err error
	if get {
		answer, err = http.Get(address + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(request)))
	} else {
		answer, err = http.Post(address, "application/ocsp-request", bytes.NewReader(request))
	}
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return nil, fmt.Errorf("HTTP %d", answer.StatusCode)
	}
	return io.ReadAll(answer.Body)
}

func status(address string, issuer *x509.Certificate, file string) (string, error) {
	chain, err := certs(file)
	if err != nil {
		return "", err
	}
	words := []string{"good", "revoked", "unknown"}
	said := ""
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1} {
		request, err := ocsp.CreateRequest(chain[0], issuer, &ocsp.RequestOptions{Hash: hash})
		if err != nil {
			return "", err
		}
		octets, err := fetch(address, request, hash == crypto.SHA256)
		if err != nil {
			return "", err
		}
		answer, err := ocsp.ParseResponseForCert(octets, chain[0], issuer)
		if err != nil {
			return "", err
		}
		said += " " + words[answer.Status]
	}
	return said[1:], nil
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: judge path|crl|ocsp ...")
		os.Exit(2)
	}
	at := map[string]int{"path": 2, "crl": 2, "ocsp": 3}[os.Args[1]]
	above, err := certs(os.Args[at])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, file := range os.Args[at+1:] {
		var what string
		switch os.Args[1] {
		case "path":
			what, err = path(above[0], file)
		case "crl":
			what, err = list(above[0], file)
		default:
			what, err = status(os.Args[2], above[0], file)
		}
		if err != nil {
			fmt.Println(file, "failed", err)
			continue
		}
		fmt.Println(file, "ok", what)
	}
}
