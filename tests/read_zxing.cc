// read_zxing FILE.pgm: every code in a raw 8-bit PGM, one a line: its format, error correction level
// ("-" where it has none) and bytes in hex. With a second argument, QRCode or Code128, the first one of that format.
#define ZX_USE_UTF8 1
#include <ZXing/ReadBarcode.h>

#include <cstdio>
#include <vector>

int main(int argc, char **argv) {
    int width = 0, height = 0;
    FILE *f = argc == 2 || argc == 3 ? std::fopen(argv[1], "rb") : nullptr;
    if (!f || std::fscanf(f, "P5 %d %d 255", &width, &height) != 2 || width < 1 || height < 1 || width * height > 50000000)
        return 1;
    std::fgetc(f);
    std::vector<unsigned char> pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
    if (std::fread(pixels.data(), 1, pixels.size(), f) != pixels.size()) return 1;
    std::fclose(f);
    ZXing::DecodeHints hints;
    hints.setFormats(ZXing::BarcodeFormat::QRCode | ZXing::BarcodeFormat::Code128);
    if (argc == 3) {
        hints.setFormats(ZXing::BarcodeFormatFromString(argv[2]));
        hints.setMaxNumberOfSymbols(1); // of a whole page, this version fails to tell two readings of one bar code apart
    }
    for (const auto &result : ZXing::ReadBarcodes({ pixels.data(), width, height, ZXing::ImageFormat::Lum }, hints)) {
        const auto level = result.ecLevel();
        std::printf("%s %s ", ZXing::ToString(result.format()), level.empty() ? "-" : level.c_str());
        for (auto byte : result.bytes()) std::printf("%02x", byte);
        std::printf("\n");
    }
}
