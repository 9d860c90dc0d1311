//! What the name of a column says about it.

/// What the words of a name mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An id of rows or of what they belong to.
    Id,
    /// A number that something has, such as that of a policy: an id if it differs in every row.
    Number,
    /// The name, number or address of a person or company.
    Person,
    /// A postal code or another code whose digits are no quantity.
    Code,
    /// A point in time.
    Time,
    /// Nothing that matters here.
    Other,
}

const IDS: &[&str] = &["id", "ids", "uuid", "guid", "key", "rowid", "identifier", "index", "nbr", "pk", "fk"];
const PERSONS: &[&str] = &[
    "phone",
    "telephone",
    "tel",
    "mobile",
    "cell",
    "cellphone",
    "fax",
    "email",
    "mail",
    "ssn",
    "passport",
    "iban",
    "bic",
    "account",
    "address",
    "street",
    "surname",
    "firstname",
    "lastname",
    "fullname",
    "username",
    "nickname",
    "login",
    "licence",
    "license",
    "plate",
    "vin",
    "mrn",
    "imei",
    "ip",
    "homepage",
    "website",
    "homephone",
    "phonenumber",
    "emailaddress",
    "cardnumber",
    "nino",
    "nhs",
    "birthname",
    "forename",
];
/// Words before `name` that make it that of a person or company.
const OF_PERSONS: &[&str] = &[
    "first",
    "last",
    "full",
    "given",
    "family",
    "middle",
    "maiden",
    "nick",
    "user",
    "ship",
    "contact",
    "customer",
    "patient",
    "person",
    "company",
    "employee",
    "client",
    "owner",
    "author",
    "supplier",
    "student",
    "member",
    "account",
    "holder",
    "guest",
    "passenger",
    "borrower",
    "doctor",
];
const CODES: &[&str] =
    &["zip", "zipcode", "zip3", "zip5", "postal", "postcode", "postalcode", "plz", "postleitzahl", "fips", "area", "naics", "sic", "icd"];
const TIMES: &[&str] = &["date", "day", "time", "timestamp", "datetime", "epoch", "dt", "datum", "dob", "unix"];
/// Last words of names such as `policy_number`; a count of something has them first, as in `number_of_rooms`.
const NUMBERS: &[&str] = &["number", "no", "nr"];

pub(super) fn meaning(name: &str) -> Meaning {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let whole: String = words.concat();
    let last = words.last().map(String::as_str).unwrap_or_default();
    let named = last == "name" && (words.len() == 1 || words[..words.len() - 1].iter().any(|word| OF_PERSONS.contains(&word.as_str())));
    if has(CODES) || CODES.contains(&whole.as_str()) {
        Meaning::Code
    } else if has(PERSONS) || PERSONS.contains(&whole.as_str()) || named {
        Meaning::Person
    } else if has(IDS) || name.starts_with("Unnamed: ") {
        Meaning::Id
    } else if words.len() > 1 && NUMBERS.contains(&last) {
        Meaning::Number
    } else if has(TIMES) {
        Meaning::Time
    } else {
        Meaning::Other
    }
}

/// The words of a name such as `customerId`, `CUSTOMER_ID` or `customer id`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_meanings() {
        for (name, expected) in [
            ("CustomerID", Meaning::Id),
            ("row id", Meaning::Id),
            ("patient_nbr", Meaning::Id),
            ("policy_number", Meaning::Number),
            ("Unnamed: 0", Meaning::Id),
            ("HomePhone", Meaning::Person),
            ("e_mail", Meaning::Person),
            ("ShipName", Meaning::Person),
            ("name", Meaning::Person),
            ("LastName", Meaning::Person),
            ("ShipPostalCode", Meaning::Code),
            ("zip_code", Meaning::Code),
            ("ZIPCODE", Meaning::Code),
            ("OrderDate", Meaning::Time),
            ("width", Meaning::Other),
            ("paid", Meaning::Other),
            ("number_of_rooms", Meaning::Other),
            ("ProductName", Meaning::Other),
            ("No", Meaning::Other),
        ] {
            assert_eq!(meaning(name), expected, "{name}");
        }
    }
}
