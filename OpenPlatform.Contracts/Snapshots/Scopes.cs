using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>
/// Checks scopes: what an operation asks for, and what a plan or an access token grants (RFC 6749, 3.3). Who is known by a key or a signature
/// has the scopes of the plan; a token has its own, and of these only what the plan grants, too, when the plan says anything about scopes.
/// </summary>
internal static partial class ScopeValidator
{
    private const int MostScopes = 64;

    public static void Validate(IReadOnlyList<string>? scopes, string at, Action<string, string> problem)
    {
        if (scopes is null)
        {
            return;
        }

        if (scopes.Count > MostScopes)
        {
            problem(at, $"must be at most {MostScopes}");
        }

        for (var i = 0; i < scopes.Count; i++)
        {
            if (scopes[i] is not { } scope || !Scope().IsMatch(scope))
            {
                problem($"{at}/{i}", "must be 1 to 128 printable ASCII characters without space, quotation mark and backslash, such as orders:read");
            }
            else if (scopes.Take(i).Contains(scope, StringComparer.Ordinal))
            {
                problem($"{at}/{i}", "is there already");
            }
        }
    }

    [GeneratedRegex("^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,128}\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Scope();
}
