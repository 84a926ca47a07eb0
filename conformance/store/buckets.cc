// Distributions as bytes: a tenth of what rows would take.
#include "conformance/store/save.h"

namespace locklab::store {
namespace {

// A number needs at most so many bytes of seven bits.
constexpr int kLongest = 10;

void Put(uint64_t number, std::string* bytes) {
  while (number >= 0x80) {
    *bytes += static_cast<char>(number | 0x80);
    number >>= 7;
  }
  *bytes += static_cast<char>(number);
}

// Small for numbers near zero on both sides.
void PutSigned(uint64_t number, std::string* bytes) {
  Put((number << 1) ^ (number >> 63 != 0 ? ~uint64_t{0} : 0), bytes);
}

std::optional<uint64_t> Take(std::string_view* bytes) {
  uint64_t number = 0;
  for (int i = 0; i < kLongest && !bytes->empty(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    number |= uint64_t{byte & 0x7fu} << (7 * i);
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

std::optional<uint64_t> TakeSigned(std::string_view* bytes) {
  const auto number = Take(bytes);
  if (!number) return std::nullopt;
  return (*number >> 1) ^ ((*number & 1) != 0 ? ~uint64_t{0} : 0);
}

}  // namespace

// Differences wrap around, so that any values come back.
std::string PackBuckets(const Buckets& buckets) {
  std::string bytes;
  uint64_t before = 0;
  for (const auto& [value, count] : buckets) {
    PutSigned(static_cast<uint64_t>(value) - before, &bytes);
    PutSigned(static_cast<uint64_t>(count), &bytes);
    before = static_cast<uint64_t>(value);
  }
  return bytes;
}

std::optional<Buckets> UnpackBuckets(std::string_view bytes) {
  Buckets buckets;
  uint64_t before = 0;
  while (!bytes.empty()) {
    const auto step = TakeSigned(&bytes);
    const auto count = TakeSigned(&bytes);
    if (!step || !count) return std::nullopt;
    before += *step;
    buckets.emplace_back(static_cast<int64_t>(before),
                         static_cast<int64_t>(*count));
  }
  return buckets;
}

}  // namespace locklab::store
