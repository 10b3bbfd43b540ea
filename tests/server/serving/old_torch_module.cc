// A module as an earlier version would have left it. Only its version may be looked at.
extern "C" const void* hellocnn_torch_module() {
  static const char* const module[] = {"0.0.1"};
  return module;
}
