"""Read ports answered from several stores: each composes the answers of other ports, whichever engine has them."""
