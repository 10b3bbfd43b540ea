// A plugin for clang-tidy. Without it, clang-tidy 14 shows its checks everything that a file
// includes, and then drops what they say of headers from outside. Those headers are most of what
// the checks look at, and most of the time that they take.
//
// The plugin restricts the AST that checks traverse to declarations outside of system headers. The
// compiler's warnings and the static analyzer do not traverse it, so nothing changes for them.
#include <clang/AST/ASTConsumer.h>
#include <clang/AST/ASTContext.h>
#include <clang/Basic/SourceManager.h>
#include <clang/Frontend/FrontendPluginRegistry.h>

#include <memory>
#include <string>
#include <vector>

namespace {

class OwnCode final : public clang::ASTConsumer {
 public:
  bool HandleTopLevelDecl(clang::DeclGroupRef group) override {
    for (clang::Decl* const declaration : group) {
      const auto& sources = declaration->getASTContext().getSourceManager();
      if (!sources.isInSystemHeader(sources.getExpansionLoc(declaration->getLocation()))) {
        own_.push_back(declaration);
      }
    }
    return true;  // go on
  }
  // Called before clang-tidy's own consumer, which traverses the AST.
  void HandleTranslationUnit(clang::ASTContext& context) override {
    context.setTraversalScope(own_);
  }

 private:
  std::vector<clang::Decl*> own_;
};

class OwnCodeAction final : public clang::PluginASTAction {
 public:
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance& /*compiler*/,
                                                        llvm::StringRef /*file*/) override {
    return std::make_unique<OwnCode>();
  }
  bool ParseArgs(const clang::CompilerInstance& /*compiler*/,
                 const std::vector<std::string>& /*arguments*/) override {
    return true;
  }
  ActionType getActionType() override { return AddBeforeMainAction; }
};

const clang::FrontendPluginRegistry::Add<OwnCodeAction> registered("own-code",
                                                                   "checks own code only");

}  // namespace
