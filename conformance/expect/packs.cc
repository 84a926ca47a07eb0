#include "conformance/expect/expectations.h"

namespace locklab::expect {

std::span<const Pack> Packs() { return {}; }

}  // namespace locklab::expect
