package main

import (
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// codec compresses and decompresses as the engine does. Both overwrite dst, and replace it where it has
// too little room. It belongs to one thread.
type codec struct {
	compress   func(dst, src []byte) []byte
	uncompress func(dst, src []byte) ([]byte, error)
}

func newS2Codec() (*codec, error) {
	return &codec{
		compress:   func(dst, src []byte) []byte { return s2.Encode(dst[:cap(dst)], src) },
		uncompress: func(dst, src []byte) ([]byte, error) { return s2.Decode(dst[:cap(dst)], src) },
	}, nil
}

func newZstdCodec() (*codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return &codec{
		compress:   func(dst, src []byte) []byte { return encoder.EncodeAll(src, dst[:0]) },
		uncompress: func(dst, src []byte) ([]byte, error) { return decoder.DecodeAll(src, dst[:0]) },
	}, nil
}
