return function(P)
  P:skip("a", "not for this one")
  P:replace("b", { run = function() return { said = "other b" } end })
  P:after("b", { "c", run = function() end })
  P.params.word.default = "own"
end
