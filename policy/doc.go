// Package policy turns what is known of a login into a decision: allow,
// challenge or deny. It is pure: facts and history in, assessment and decision
// out, no clock and no input or output, so that a policy can be replayed over
// recorded logins.
//
// [Rules] are what an operator writes. [New] makes a [Policy] of them, whose
// Decide looks at every signal and adds up the points of those that were seen.
// A [History] is what an account is used to, and Learn adds a login to it.
// [Replay] feeds a record of logins through a policy.
//
// # The default points
//
// 100 points are one thing wholly new: a browser without a device cookie, or a
// place (address, network and country) that the account has never logged in
// from. Within such a thing the points follow the literature on risk-based
// authentication:
//
//   - Freeman, Jain, Dürmuth, Biggio and Giacinto, "Who Are You? A Statistical
//     Approach to Measuring User Authenticity" (NDSS 2016), score a login by its
//     address and user agent, each with their coarser forms behind them, and
//     show that these two carry most of what can be told.
//   - Wiefling, Lo Iacono and Dürmuth, "Is This Really You?" (IFIP SEC 2019), and
//     Wiefling, Jørgensen, Thunem and Lo Iacono, "Pump Up Password Security!"
//     (ACM TOPS 2022), give the weights within a feature that they found at large
//     services: address 0.6, network (ASN) 0.3, country 0.1; user agent string
//     0.54, browser 0.27, system 0.19, type of device 0.005. So a new address is
//     60 points, a new network 30 and a new country 10: a new country comes with
//     a new network and a new address, and the three together are 100.
//   - A browser changes its user agent string at every update, which is no sign of
//     anything; but another browser has another string for certain, so that a new
//     browser is 54 + 27 = 81 points and a new system the other 19. The type of
//     device weighs nothing there and has no signal here.
//
// An old device token that comes back, and a journey that nobody can make, are
// 100 points and more by themselves. The other signals are raised by attacks and
// by ordinary life alike, so that one of them alone asks nobody: 20 to 50.
package policy
