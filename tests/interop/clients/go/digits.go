package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	pb "hellocnn.test/client/hellocnnpb"
)

const (
	imageSide = 32 // what the network reads
	digitSide = 28 // what MNIST has
)

// A digit is an image and the digit that it shows.
type digit struct {
	image *pb.Image
	label int32
}

// readDigits reads the first count digits of MNIST's test set.
func readDigits(folder string, count int) ([]digit, error) {
	pixels, err := readGzip(filepath.Join(folder, "t10k-images-idx3-ubyte.gz"))
	if err != nil {
		return nil, err
	}
	labels, err := readGzip(filepath.Join(folder, "t10k-labels-idx1-ubyte.gz"))
	if err != nil {
		return nil, err
	}
	const imagesHeader, labelsHeader, size = 16, 8, digitSide * digitSide
	if len(pixels) < imagesHeader+count*size || len(labels) < labelsHeader+count {
		return nil, fmt.Errorf("%s: fewer than %d digits", folder, count)
	}
	digits := make([]digit, count)
	for i := range digits {
		grey := pixels[imagesHeader+i*size:][:size]
		digits[i] = digit{
			image: &pb.Image{Pixels: &pb.Image_Gray8{Gray8: pad(grey)}},
			label: int32(labels[labelsHeader+i]),
		}
	}
	return digits, nil
}

// pad puts a black border around 28x28 grey levels, which makes 32x32 of them.
func pad(grey []byte) []byte {
	const border = (imageSide - digitSide) / 2
	padded := make([]byte, imageSide*imageSide)
	for row := range digitSide {
		copy(padded[(row+border)*imageSide+border:], grey[row*digitSide:][:digitSide])
	}
	return padded
}

func readGzip(path string) ([]byte, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return io.ReadAll(reader)
}
