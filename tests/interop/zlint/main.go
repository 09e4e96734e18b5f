// Judge of certificates and CRLs that shares no line with Keywright: zlint, with the lints of RFCs and of its community.
//
//	judge FILE...   certificates in PEM (the first of each file) and CRLs in DER (*.crl)
//
// A line for each finding: FILE, lint, level, details. Exit 0: none is an error. Exit 1: one is. Exit 2: it cannot be read.
package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// Rules of the web's public CAs are none of a private PKI's.
var sources = lint.SourceList{lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6960, lint.RFC6962,
	lint.RFC8813, lint.Community}

func judge(path string, registry lint.Registry) (*zlint.ResultSet, error) {
	octets, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".crl") {
		list, err := x509.ParseRevocationList(octets)
		if err != nil {
			return nil, err
		}
		return zlint.LintRevocationListEx(list, registry), nil
	}
	block, _ := pem.Decode(octets)
	if block == nil {
		return nil, fmt.Errorf("no PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return zlint.LintCertificateEx(cert, registry), nil
}

func main() {
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: sources})
	if err != nil || len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: judge FILE...", err)
		os.Exit(2)
	}
	status := 0
	for _, path := range os.Args[1:] {
		found, err := judge(path, registry)
		if err != nil {
			fmt.Fprintln(os.Stderr, path, err)
			os.Exit(2)
		}
		ran := 0
		for name, one := range found.Results {
			if one.Status >= lint.Pass {
				ran++
			}
			if one.Status >= lint.Notice {
				fmt.Println(path, name, one.Status, one.Details)
			}
			if one.Status >= lint.Error {
				status = 1
			}
		}
		fmt.Println(path, "ran", ran)
	}
	os.Exit(status)
}
