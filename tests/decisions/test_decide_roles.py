"""Roles: a change is an event, and no change is none."""

import pytest

from command_api.domain import change_role
from command_api.domain.change_role import ChangeRole
from command_api.domain.errors import AccountNotFound
from events.accounts import ROLES, Role, RoleChanged
from rest.problems import ProblemError
from rest.roles import RIGHTS, Right, Roles, check
from tests.decisions.given_when_then import ALICE, BOB, given_for

changing = given_for(change_role)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_changed_unless_the_account_has_it(role: Role) -> None:
    given = changing(exists=True, role="moderator").when(ChangeRole(ALICE, role))
    if role == "moderator":
        given.then_nothing()
    else:
        given.then(RoleChanged(account=ALICE, role=role))


def test_a_new_account_is_a_user_already() -> None:
    changing(exists=True).when(ChangeRole(ALICE, "user")).then_nothing()


def test_an_account_that_is_not_there_gets_no_role() -> None:
    changing().when(ChangeRole(ALICE, "admin")).then_refused(AccountNotFound)


def test_every_role_has_its_rights_and_no_other() -> None:
    assert set(RIGHTS) == set(ROLES)
    for role, rights in RIGHTS.items():
        for right in Right:
            if right in rights:
                check(role, right)
            else:
                with pytest.raises(ProblemError, match="may not"):
                    check(role, right)
    assert RIGHTS["user"] == frozenset()
    assert RIGHTS["admin"] == frozenset(Right)


def test_accounts_that_have_no_other_role_are_users() -> None:
    roles = Roles()
    assert roles.of(ALICE) == "user"
    roles.replace({ALICE: "analyst"})
    assert (roles.of(ALICE), roles.of(BOB)) == ("analyst", "user")
    roles.replace({BOB: "admin"})
    assert (roles.of(ALICE), roles.of(BOB)) == ("user", "admin")
