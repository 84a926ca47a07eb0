// SHA-256 (FIPS 180-4), by libcrypto: what says of two files that they are the
// same.
#ifndef LOCKLAB_CONFORMANCE_DIGEST_SHA256_H_
#define LOCKLAB_CONFORMANCE_DIGEST_SHA256_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace locklab::digest {

// Piece by piece. Used by one thread at a time.
class Sha256 {
 public:
  // Throws std::runtime_error if libcrypto has no SHA-256 to give.
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Add(std::string_view bytes);
  // 64 lower-case hexadecimal digits; the object is of no further use.
  [[nodiscard]] std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string Sha256Of(std::string_view bytes);

struct FileDigest {
  int64_t bytes = 0;
  std::string sha256;

  bool operator==(const FileDigest&) const = default;
};
// Of a regular file, which is read to its end, in little memory. A symbolic
// link is not followed. Throws std::runtime_error that says which file and why.
[[nodiscard]] FileDigest DigestOfFile(const std::string& path);

}  // namespace locklab::digest

#endif  // LOCKLAB_CONFORMANCE_DIGEST_SHA256_H_
