#!/bin/bash -eu
# Builds every fuzz target into $OUT, each with its dictionary and its seeds, as ClusterFuzzLite and OSS-Fuzz ask for it.
# The builder's toolchain and RUSTFLAGS say which engine and sanitizer.
cd "$SRC/mpusim/fuzz"
cargo fuzz build -O --debug-assertions
host=$(rustc -vV | sed -n 's/^host: //p')
for target in $(cargo fuzz list); do
  cp "target/$host/release/$target" "$OUT/"
  [ ! -e "dictionaries/$target.dict" ] || cp "dictionaries/$target.dict" "$OUT/"
  zip -qj "$OUT/${target}_seed_corpus.zip" "$(./inputs "$target")"/*
done
