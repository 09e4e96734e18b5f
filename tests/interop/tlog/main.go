// Judge of transparency logs that shares no line with Keywright: golang.org/x/mod/sumdb/{note,tlog},
// the code that go itself trusts sum.golang.org with.
//
//	judge export DIR [VKEY]                          an exported log: checkpoint, tiles, entries
//	judge note FILE VKEY                             a signed checkpoint alone
//	judge record SIZE ROOT INDEX LEAF [HASH...]      an inclusion proof, hashes in hex
//	judge tree SIZE ROOT OLDSIZE OLDROOT [HASH...]   a consistency proof, hashes in hex
//
// Exit 0: it holds. Exit 1: it does not, and why. Exit 2: asked wrongly.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// openCheckpoint verifies the signature and reads the three lines of C2SP tlog-checkpoint.
func openCheckpoint(msg []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(vkey))
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(msg, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.SplitN(opened.Text, "\n", 4)
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("checkpoint of %q signed by %q", lines[0], verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("root is not a hash")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

// exportPath maps Go's tile/8/L/N to the C2SP layout, which has no height.
func exportPath(dir string, tile tlog.Tile) string {
	return filepath.Join(dir, "tile", strings.TrimPrefix(tile.Path(), "tile/8/"))
}

// readFile reads a tile; a partial one may have been replaced by the full one.
func readFile(dir string, tile tlog.Tile) ([]byte, error) {
	data, err := os.ReadFile(exportPath(dir, tile))
	if errors.Is(err, os.ErrNotExist) && tile.W < tileWidth {
		tile.W = tileWidth
		data, err = os.ReadFile(exportPath(dir, tile))
	}
	return data, err
}

type exportReader struct{ dir string }

func (r exportReader) Height() int                     { return tileHeight }
func (r exportReader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r exportReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := readFile(r.dir, tile)
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is cut", exportPath(r.dir, tile))
		}
		all = append(all, data[:tile.W*tlog.HashSize])
	}
	return all, nil
}

// bundleEntries reads the first want entries of a bundle: big-endian u16 length and octets.
func bundleEntries(dir string, index int64, want int) ([][]byte, error) {
	tile := tlog.Tile{H: tileHeight, L: 0, N: index, W: want}
	name := strings.Replace(strings.TrimPrefix(tile.Path(), "tile/8/"), "0/", "entries/", 1)
	data, err := os.ReadFile(filepath.Join(dir, "tile", name))
	if errors.Is(err, os.ErrNotExist) && want < tileWidth {
		data, err = os.ReadFile(filepath.Join(dir, "tile", name[:strings.LastIndex(name, ".p/")]))
	}
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) > 0 && len(entries) < want {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("bundle %d is cut", index)
		}
		n := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:n])
		data = data[n:]
	}
	if len(entries) != want {
		return nil, fmt.Errorf("bundle %d has %d entries, not %d", index, len(entries), want)
	}
	return entries, nil
}

// checkBundle adds a bundle's entries to the tree of hashes and compares them with the tiles,
// which TileHashReader proves against the root.
func checkBundle(dir string, index int64, want int, stored *[]tlog.Hash, tiles tlog.HashReader) error {
	entries, err := bundleEntries(dir, index, want)
	if err != nil {
		return err
	}
	own := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(at))
		for i, x := range at {
			hashes[i] = (*stored)[x]
		}
		return hashes, nil
	})
	leaves := make([]int64, want)
	for i, entry := range entries {
		n := index*tileWidth + int64(i)
		hashes, err := tlog.StoredHashes(n, entry, own)
		if err != nil {
			return err
		}
		*stored = append(*stored, hashes...)
		leaves[i] = tlog.StoredHashIndex(0, n)
	}
	proven, err := tiles.ReadHashes(leaves)
	if err != nil {
		return err
	}
	for i := range leaves {
		if proven[i] != (*stored)[leaves[i]] {
			return fmt.Errorf("entry %d does not fit its tile", index*tileWidth+int64(i))
		}
	}
	return nil
}

func judgeExport(dir, vkey string) (string, error) {
	msg, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return "", err
	}
	tree, err := openCheckpoint(msg, vkey)
	if err != nil {
		return "", err
	}
	var stored []tlog.Hash
	tiles := tlog.TileHashReader(tree, exportReader{dir})
	for index := int64(0); index*tileWidth < tree.N; index++ {
		want := int(min(tileWidth, tree.N-index*tileWidth))
		if err := checkBundle(dir, index, want, &stored, tiles); err != nil {
			return "", err
		}
	}
	root, err := tlog.TreeHash(tree.N, tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(at))
		for i, x := range at {
			hashes[i] = stored[x]
		}
		return hashes, nil
	}))
	if err != nil {
		return "", err
	}
	// For the empty tree Go has a zero hash where RFC 6962 has SHA-256("").
	if tree.N > 0 && root != tree.Hash {
		return "", errors.New("the entries do not have the root that was signed")
	}
	return fmt.Sprintf("%d entries, root %s", tree.N, tree.Hash), nil
}

func parseHash(text string) (hash tlog.Hash, err error) {
	octets, err := hex.DecodeString(text)
	if err == nil && len(octets) != tlog.HashSize {
		err = fmt.Errorf("%q is not a hash", text)
	}
	copy(hash[:], octets)
	return hash, err
}

// parseProof reads "SIZE ROOT NUMBER HASH [HASH...]", the arguments of both proofs.
func parseProof(args []string) (size, number int64, root, hash tlog.Hash, proof []tlog.Hash, err error) {
	var errs [4]error
	size, errs[0] = strconv.ParseInt(args[0], 10, 64)
	root, errs[1] = parseHash(args[1])
	number, errs[2] = strconv.ParseInt(args[2], 10, 64)
	hash, errs[3] = parseHash(args[3])
	err = errors.Join(errs[:]...)
	for _, text := range args[4:] {
		h, e := parseHash(text)
		proof, err = append(proof, h), errors.Join(err, e)
	}
	return
}

func judge(args []string) (string, error) {
	switch {
	case len(args) == 2 && args[0] == "export":
		vkey, err := os.ReadFile(filepath.Join(args[1], "vkey"))
		if err != nil {
			return "", err
		}
		return judgeExport(args[1], string(vkey))
	case len(args) == 3 && args[0] == "export":
		return judgeExport(args[1], args[2])
	case len(args) == 3 && args[0] == "note":
		msg, err := os.ReadFile(args[1])
		if err != nil {
			return "", err
		}
		tree, err := openCheckpoint(msg, args[2])
		return fmt.Sprintf("size %d, root %s", tree.N, tree.Hash), err
	case len(args) >= 5 && args[0] == "record":
		size, index, root, leaf, proof, err := parseProof(args[1:])
		if err != nil {
			return "", err
		}
		return "included", tlog.CheckRecord(proof, size, root, index, leaf)
	case len(args) >= 5 && args[0] == "tree":
		size, oldSize, root, oldRoot, proof, err := parseProof(args[1:])
		if err != nil {
			return "", err
		}
		return "consistent", tlog.CheckTree(proof, size, root, oldSize, oldRoot)
	}
	fmt.Fprintln(os.Stderr, "usage: judge export DIR [VKEY] | note FILE VKEY |",
		"record SIZE ROOT INDEX LEAF [HASH...] | tree SIZE ROOT OLDSIZE OLDROOT [HASH...]")
	os.Exit(2)
	return "", nil
}

func main() {
	said, err := judge(os.Args[1:])
	if err != nil {
		fmt.Println("REFUSED", err)
		os.Exit(1)
	}
	fmt.Println("OK", said)
}
