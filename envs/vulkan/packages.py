"""The Debian packages that the private software driver is made of: plain data.

Mesa 25.0.7 is the first Debian 12 build with what SAPIEN asks of a driver
(``descriptorBindingPartiallyBound``; the release's own 22.3.6 lacks it); the others are the shared
libraries that it and SAPIEN's wheels load, and a bare machine lacks. Order matters: a library
follows the ones it needs. glibc, libstdc++ and libgcc stay the machine's own.

Checksums are those of the signed package lists of ``bookworm`` (12.15) and ``bookworm-backports``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Package:
    """``path``: below ``pool/main`` of a Debian mirror; ``libraries``: file names kept from it."""

    path: str
    sha256: str
    libraries: tuple[str, ...]

    @property
    def name(self) -> str:
        """The package's name, such as ``libvulkan1``."""
        return PurePosixPath(self.path).name.split("_")[0]


DRIVER = "libvulkan_lvp.so"
HEADERS = "libvulkan-dev"
# Symbols of GLIBC_2.36 are used by libLLVM-15; read off with `readelf -V`.
GLIBC = (2, 36)

PACKAGES: tuple[Package, ...] = (
    Package(
        "z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb",
        "d7dd1d1411fedf27f5e27650a6eff20ef294077b568f4c8c5e51466dc7c08ce4",
        ("libz.so.1",),
    ),
    Package(
        "libz/libzstd/libzstd1_1.5.4+dfsg2-5_amd64.deb",
        "6315b5ac38b724a710fb96bf1042019398cb656718b1522279a5185ed39318fa",
        ("libzstd.so.1",),
    ),
    Package(
        "x/xz-utils/liblzma5_5.4.1-1+deb12u1_amd64.deb",
        "f96d8876b53ec89d76a992bc199679b818cf518225a768954d9451fb556a4eb7",
        ("liblzma.so.5",),
    ),
    Package(
        "e/expat/libexpat1_2.5.0-1+deb12u2_amd64.deb",
        "2255e62fc22a86d2c544b8a3f516da9aee19383ad5742722ab4ce7f66a30dbc8",
        ("libexpat.so.1",),
    ),
    Package(
        "libf/libffi/libffi8_3.4.4-1_amd64.deb",
        "6d9f6c25c30efccce6d4bceaa48ea86c329a3432abb360a141f76ac223a4c34a",
        ("libffi.so.8",),
    ),
    Package(
        "n/ncurses/libtinfo6_6.4-4_amd64.deb",
        "072d908f38f51090ca28ca5afa3b46b2957dc61fe35094c0b851426859a49a51",
        ("libtinfo.so.6",),
    ),
    Package(
        "libm/libmd/libmd0_1.0.4-2_amd64.deb",
        "03539fd30c509e27101d13a56e52eda9062bdf1aefe337c07ab56def25a13eab",
        ("libmd.so.0",),
    ),
    Package(
        "libb/libbsd/libbsd0_0.11.7-2_amd64.deb",
        "bb31cc8b40f962a85b2cec970f7f79cc704a1ae4bad24257a822055404b2c60b",
        ("libbsd.so.0",),
    ),
    Package(
        "libe/libedit/libedit2_3.1-20221030-2_amd64.deb",
        "1cf14abf2716d3279db12d0657a5737cf70074a1e71d3bdf73206625e3c89ce6",
        ("libedit.so.2",),
    ),
    Package(
        "i/icu/libicu72_72.1-3+deb12u1_amd64.deb",
        "f7f6f99c6d7b025914df2447fc93e11d22c44c0c8bdd8b6f36691c9e7ddcef88",
        ("libicudata.so.72", "libicuuc.so.72"),
    ),
    Package(
        "libx/libxml2/libxml2_2.9.14+dfsg-1.3~deb12u6_amd64.deb",
        "4460e39dda10a815881374217cde08474747cfa018358cd8612c14b390eff53b",
        ("libxml2.so.2",),
    ),
    Package(
        "z/z3/libz3-4_4.8.12-3.1_amd64.deb",
        "6221ca25ad5abcfbe1965801029d85a88b4775320384b4b716de8fab7a4d2f7a",
        ("libz3.so.4",),
    ),
    Package(
        "l/llvm-toolchain-15/libllvm15_15.0.6-4+b1_amd64.deb",
        "9f0751109ba89e65b1313a4f3e34a29977a0db6fa30ed475e2c6bd555fa9e866",
        ("libLLVM-15.so.1",),
    ),
    Package(
        "libx/libxau/libxau6_1.0.9-1_amd64.deb",
        "679db1c4579ec7c61079adeaae8528adeb2e4bf5465baa6c56233b995d714750",
        ("libXau.so.6",),
    ),
    Package(
        "libx/libxdmcp/libxdmcp6_1.1.2-3_amd64.deb",
        "ecb8536f5fb34543b55bb9dc5f5b14c9dbb4150a7bddb3f2287b7cab6e9d25ef",
        ("libXdmcp.so.6",),
    ),
    Package(
        "libx/libxcb/libxcb1_1.15-1_amd64.deb",
        "fdc61332a3892168f3cc9cfa1fe9cf11a91dc3e0acacbc47cbc50ebaa234cc71",
        ("libxcb.so.1",),
    ),
    Package(
        "libx/libxcb/libxcb-dri3-0_1.15-1_amd64.deb",
        "02699b144b9467de8636d27a76984b8f4e7b66e2d25d96df2b9677be86ee9a29",
        ("libxcb-dri3.so.0",),
    ),
    Package(
        "libx/libxcb/libxcb-present0_1.15-1_amd64.deb",
        "89383e627a4d17b9390d609b2459481bfd2029566367b43068586769e418b6e5",
        ("libxcb-present.so.0",),
    ),
    Package(
        "libx/libxcb/libxcb-randr0_1.15-1_amd64.deb",
        "f86e3d8ff8622871008833e9d064919b7a6237399c903c59fc330ff00f199ff5",
        ("libxcb-randr.so.0",),
    ),
    Package(
        "libx/libxcb/libxcb-shm0_1.15-1_amd64.deb",
        "c1afcef29dc78b95c475159b181b28b1dedaf1d5aa06efd2fa6d90c73bfbe0e5",
        ("libxcb-shm.so.0",),
    ),
    Package(
        "libx/libxcb/libxcb-sync1_1.15-1_amd64.deb",
        "3366ce715220d38dd0148b78a8e738137bade25ef7eec0698850c6f66800844f",
        ("libxcb-sync.so.1",),
    ),
    Package(
        "libx/libxcb/libxcb-xfixes0_1.15-1_amd64.deb",
        "d744a7ebad2cbcf301c96cd6a1ab3ee856e436fc7be5cff5b7c28ac2ac181a64",
        ("libxcb-xfixes.so.0",),
    ),
    Package(
        "libx/libx11/libx11-6_1.8.4-2+deb12u2_amd64.deb",
        "d88c973e79fd9b65838d77624142952757e47a6eb1a58602acf0911cf35989f4",
        ("libX11.so.6",),
    ),
    Package(
        "libx/libx11/libx11-xcb1_1.8.4-2+deb12u2_amd64.deb",
        "f5da45e1d881a793250a96613f28c471a248877f1a0f18a5c90e2a620a76c898",
        ("libX11-xcb.so.1",),
    ),
    Package(
        "libx/libxshmfence/libxshmfence1_1.3-1_amd64.deb",
        "1a38142e40e3d32dc4f9a326bf5617363b7d9b4bb762fdcdd262f2192092024d",
        ("libxshmfence.so.1",),
    ),
    Package(
        "libg/libglvnd/libglvnd0_1.6.0-1_amd64.deb",
        "b6da5b153dd62d8b5e5fbe25242db1fc05c068707c365db49abda8c2427c75f8",
        ("libGLdispatch.so.0",),
    ),
    Package(
        "libg/libglvnd/libglx0_1.6.0-1_amd64.deb",
        "95f568df73dedf43ae66834a75502112e0d4f3ad7124f3dbfa790b739383b896",
        ("libGLX.so.0",),
    ),
    Package(
        "libg/libglvnd/libgl1_1.6.0-1_amd64.deb",
        "6f89b1702c48e9a2437bb3c1ffac8e1ab2d828fc28b3d14b2eecd4cc19b2c790",
        ("libGL.so.1",),
    ),
    Package(
        "p/pcre2/libpcre2-8-0_10.42-1_amd64.deb",
        "030db54f4d76cdfe2bf0e8eb5f9efea0233ab3c7aa942d672c7b63b52dbaf935",
        ("libpcre2-8.so.0",),
    ),
    Package(
        "g/glib2.0/libglib2.0-0_2.74.6-2+deb12u9_amd64.deb",
        "7ff85197685d89e150e342b29a59aab1beee400050ba7da73de81cd999ffee5a",
        ("libglib-2.0.so.0", "libgthread-2.0.so.0"),
    ),
    Package(
        "libd/libdrm/libdrm2_2.4.114-1+b1_amd64.deb",
        "be18fb670797ba32da9628cf3e8acd83160d8db8c8dd842501dd8e401c3b5371",
        ("libdrm.so.2",),
    ),
    Package(
        "w/wayland/libwayland-client0_1.21.0-1_amd64.deb",
        "1f002d028b8b79eec9847c636d8886d10dfe8c884cc2bebe18086b1391c5a28d",
        ("libwayland-client.so.0",),
    ),
    Package(
        "v/vulkan-loader/libvulkan1_1.3.239.0-1_amd64.deb",
        "622f28b807ba55a1f5ad1622ff83aa2c5b11fedbec074850e04c10a8f28b43d3",
        ("libvulkan.so.1",),
    ),
    Package(
        "m/mesa/mesa-vulkan-drivers_25.0.7-2~bpo12+1_amd64.deb",
        "3899f1800424c60a05df5d6913076a526ca8fdbabec43672cd397563d1ca3263",
        ("libvulkan_lvp.so",),
    ),
    Package(
        "v/vulkan-loader/libvulkan-dev_1.3.239.0-1_amd64.deb",
        "1a3dcf32a47524edfe5eef97bfdb0766fe656f4ae6c5e999291c6a7eb2f07655",
        (),
    ),
)

LIBRARIES: tuple[str, ...] = tuple(
    name for package in PACKAGES for name in package.libraries if name != DRIVER
)
