#!/usr/bin/env bash
# Unpack Apptainer from Debian's unstable suite beside the libc that it was built for; the
# system's own packages and libc stay as they are. Usage: apptainer.sh PREFIX
# Needs apt-get, dpkg-deb and patchelf; to use it: squashfs-tools squashfuse uidmap.
set -euo pipefail
prefix=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,unpacked} "$prefix"/usr/lib/sid

mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] ${mirror:-http://deb.debian.org/debian} sid main" >"$work/sid.list"
apt=(apt-get -qq
    -o Dir::Etc::SourceList="$work/sid.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache"
    -o APT::Sandbox::User=root)
"${apt[@]}" update
cd "$work"
"${apt[@]}" download apptainer/sid libc6/sid libseccomp2/sid libsqlite3-0/sid
for package in *.deb; do
    case $package in
        apptainer_*) dpkg-deb -x "$package" "$prefix" ;;
        *) dpkg-deb -x "$package" unpacked ;;
    esac
done
own=$prefix/usr/lib/sid
for library in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libsqlite3.so.0 libseccomp.so.2 \
    libpthread.so.0 libdl.so.2 libresolv.so.2 libnss_files.so.2; do
    cp -L "unpacked/usr/lib/x86_64-linux-gnu/$library" "$own"
done
for program in "$prefix/usr/bin/apptainer" \
    "$prefix/usr/lib/x86_64-linux-gnu/apptainer/bin/starter"; do
    patchelf --set-interpreter "$own/ld-linux-x86-64.so.2" "$program"
    patchelf --force-rpath --set-rpath "$own" "$program"
done
# Both programs look for etc and var relative to where they are.
mkdir -p "$prefix/usr/var/lib/apptainer/mnt/session"
ln -sfn ../etc "$prefix/usr/etc"
ln -sfn ../../etc "$prefix/usr/lib/etc"
ln -sfn ../var "$prefix/usr/lib/var"
"$prefix/usr/bin/apptainer" --version
