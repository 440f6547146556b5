import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_the_program(archiver, shell):
    code, out, err = archiver("completion", shell)
    assert (code, err) == (0, "")
    assert f"_ARCHIVER_COMPLETE={shell}_complete" in out


@pytest.mark.parametrize(
    ("shell", "place"), [("bash", "~/.bashrc"), ("zsh", "~/.zshrc"), ("fish", "~/.config/fish")]
)
def test_a_person_is_told_what_to_do_with_it(archiver, terminal, shell, place):
    err = archiver("completion", shell).err
    assert place in err
    assert err.count("\n") == 1


def test_another_shell_is_refused(archiver):
    code, out, err = archiver("completion", "tcsh")
    assert (code, out) == (2, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in err
