# shellcheck shell=bash disable=SC2034
# The Debian 12 packages that building, running and testing need, in one place. Sourced by run.sh and test.sh.

build_packages=(
  clang-19 lld-19 libclang-rt-19-dev cmake ninja-build pkg-config git ca-certificates
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
  librocksdb-dev libdcmtk-dev libssl-dev zlib1g-dev libpng-dev
  libspdlog-dev libfmt-dev libtomlplusplus-dev libcli11-dev prometheus-cpp-dev
  liburing-dev libnghttp2-dev libisal-dev libxxhash-dev
  libopenjp2-7-dev libopenjph-dev libturbojpeg0-dev libjpeg62-turbo-dev libdeflate-dev libcharls-dev libhwy-dev
  libcurl4-openssl-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)

test_packages=(
  python3 python3-numpy python3-pydicom curl nghttp2-client nodejs nginx openssl ffmpeg libopenjp2-tools dcmtk dicom3tools libgdcm-tools odil
  chromium fuse3 libfuse3-dev e2fsprogs util-linux procps
)

# Node for the clients in tests/peer/web_clients; a Node of another origin brings its own npm.
command -v npm >/dev/null || test_packages+=(nodejs npm)

# For the comparison in bench/ingest.py, and in tests/peer, which skips it without: the package starts a server.
bench_packages=(orthanc orthanc-dicomweb)

# Installs the clients that come from npm, pinned; does nothing when they are there. Without a network their tests are
# skipped.
install_web_clients() {
  local folder=tests/peer/web_clients
  [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] ||
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error >/dev/null ||
    echo "The DICOMweb clients of $folder could not be installed: their tests are skipped" >&2
  install_ohif "$folder/ohif" ||
    echo "OHIF could not be installed in $folder: its test is skipped" >&2
}

# OHIF's application as its makers built it. Of the package only that is wanted: what it depends on is inside, and is
# not all on npm. Without its models for segmentation and its microscopy.
install_ohif() {
  local folder=$1 version=3.12.10 temporary
  local sha512=d24b85eba32af5cf5d303fbe6d4b138ccac9a57270699873f41e2e4b6e380dac008d2913c0860553dde9c4fb915108b16918bb4001e517715ed6ab9d06566b98
  [ -f "$folder/$version" ] && return 0
  temporary=$(mktemp -d) || return 1
  # shellcheck disable=SC2015
  (cd "$temporary" && npm pack --silent --prefer-offline "@ohif/app@$version" >/dev/null) &&
    echo "$sha512  $temporary/ohif-app-$version.tgz" | sha512sum --check --quiet &&
    mkdir "$temporary/ohif" && tar -xzf "$temporary/ohif-app-$version.tgz" -C "$temporary/ohif" --strip-components=2 \
      --exclude=package/dist/ort --exclude=package/dist/dicom-microscopy-viewer --exclude='*.map' package/dist &&
    touch "$temporary/ohif/$version" && rm -rf "$folder" && mv "$temporary/ohif" "$folder"
  local status=$?
  rm -rf "$temporary"
  return $status
}

# install_packages NAME...: installs what is missing; does nothing, and needs no network, when nothing is.
install_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing and neither root nor sudo is at hand to install them:" >&2
      printf '  %s\n' "${missing[@]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq || echo "apt-get update failed; trying with the lists at hand" >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
